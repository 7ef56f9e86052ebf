// Packs assets with Brotli.
const zlib = require('node:zlib');
const {text} = require('./random');

exports.handler = async ({seed, size}) => {
  const packed = zlib.brotliCompressSync(text(seed, size), {params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 6}});
  return {packed: packed.length};
};
