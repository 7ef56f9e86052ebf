// Checks a password with scrypt, which takes megabytes on purpose.
const crypto = require('node:crypto');

exports.handler = async ({seed, size}) => ({key: crypto.scryptSync('correct horse', String(seed), 32, {N: size, r: 8, maxmem: 512 << 20}).toString('hex')});
