// Compresses pages as a web server does, and reads them again.
const zlib = require('node:zlib');
const {text} = require('./random');

exports.handler = async ({seed, size}) => {
  const page = Buffer.from(text(seed, size));
  const packed = zlib.gzipSync(page);
  if (!zlib.gunzipSync(packed).equals(page)) throw new Error('damaged');
  return {bytes: page.length, packed: packed.length};
};
