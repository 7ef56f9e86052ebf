// Keeps a buffer for every request in a closure: a leak.
const kept = [];

exports.handler = async ({seed, size}) => {
  const buffer = Buffer.alloc(size, String(seed));
  kept.push(() => buffer[0]);
  return {kept: kept.length};
};
