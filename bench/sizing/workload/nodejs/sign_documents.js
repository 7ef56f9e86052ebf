// Hashes and signs documents.
const crypto = require('node:crypto');

const {privateKey} = crypto.generateKeyPairSync('ed25519');

exports.handler = async ({seed, size}) => {
  const document = Buffer.alloc(size, String(seed));
  const digest = crypto.createHash('sha512').update(document).digest();
  return {signature: crypto.sign(null, digest, privateKey).toString('base64')};
};
