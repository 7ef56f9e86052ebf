// Finds addresses in a text with regular expressions.
const {random} = require('./random');

const mail = /\b([a-z0-9._%+-]+)@((?:[a-z0-9-]+\.)+[a-z]{2,})\b/gi;

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  let text = '';
  for (let i = 0; i < size; i++) text += `On ${rng(28)}.${rng(12)} user${rng(1000)}@mail${rng(9)}.example.com wrote to 10.0.${rng(256)}.${rng(256)}\n`;
  const domains = {};
  for (const [, , domain] of text.matchAll(mail)) domains[domain] = (domains[domain] ?? 0) + 1;
  return {domains: Object.keys(domains).length};
};
