// Writes a file to /tmp, reads it line by line, and removes it.
const fs = require('node:fs');
const readline = require('node:readline');
const {random} = require('./random');

exports.handler = async ({seed, size}, context) => {
  const rng = random(seed), path = `/tmp/${context.awsRequestId}`;
  fs.writeFileSync(path, Array.from({length: size}, () => `${rng(1e9)};${rng(1e9)}`).join('\n'));
  let sum = 0;
  for await (const line of readline.createInterface({input: fs.createReadStream(path)})) sum += line.length;
  fs.unlinkSync(path);
  return {sum};
};
