// Sorts numbers and finds quantiles.
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const numbers = Float64Array.from({length: size}, () => rng(1e9)).sort();
  return {median: numbers[size >> 1], p99: numbers[Math.floor(size * 0.99)]};
};
