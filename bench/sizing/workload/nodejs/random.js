// Random numbers that a seed decides (mulberry32), and text made of them.
exports.random = (seed) => (n) => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
};

exports.text = (seed, size) => {
  const rng = exports.random(seed);
  const words = ['the', 'quick', 'brown', 'fox', 'jumps', 'over', 'lazy', 'dogs'];
  const out = [];
  for (let i = 0; i < size; i++) out.push(words[rng(words.length)] + rng(100));
  return out.join(' ');
};
