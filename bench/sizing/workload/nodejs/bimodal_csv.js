// Imports CSV files: small ones mostly, and now and then the whole catalogue.
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const file = Array.from({length: size}, (_, i) => `${i},product ${i},${rng(10000)},${rng(2)}`).join('\n');
  const rows = file.split('\n').map((line) => {
    const [id, name, cents, stock] = line.split(',');
    return {id: Number(id), name, cents: Number(cents), stock: stock === '1'};
  });
  return {rows: rows.length, stock: rows.filter((r) => r.stock).length};
};
