// Renders a listing from template literals.
const {random} = require('./random');

const escape = (s) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const items = Array.from({length: size}, (_, i) => ({name: `Thing <${i}> & "co"`, price: rng(10000) / 100}));
  const page = `<!doctype html><ul>${items.map((i) => `<li><b>${escape(i.name)}</b> ${i.price.toFixed(2)}</li>`).join('')}</ul>`;
  return {bytes: page.length};
};
