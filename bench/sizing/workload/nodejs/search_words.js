// Finds the words that are nearest to a misspelt one (Levenshtein).
const {random} = require('./random');

function distance(a, b) {
  let row = Array.from({length: b.length + 1}, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const word = () => Array.from({length: 4 + rng(8)}, () => 'abcdefghij'[rng(10)]).join('');
  const wanted = word();
  let best = [99, ''];
  for (let i = 0; i < size; i++) {
    const w = word(), d = distance(wanted, w);
    if (d < best[0]) best = [d, w];
  }
  return {wanted, best};
};
