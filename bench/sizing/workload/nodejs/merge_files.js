// Merges files into one and says where each begins.
const crypto = require('node:crypto');
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const parts = Array.from({length: 16}, () => Buffer.alloc((size >> 4) + rng(1000), crypto.randomBytes(4096)));
  const starts = [];
  let at = 0;
  for (const p of parts) {
    starts.push(at);
    at += p.length;
  }
  return {bytes: Buffer.concat(parts).length, starts};
};
