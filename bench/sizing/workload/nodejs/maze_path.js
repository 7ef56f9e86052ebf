// Finds the way through a maze.
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const wall = Uint8Array.from({length: size * size}, () => rng(4) === 0 ? 1 : 0);
  const distance = new Int32Array(size * size).fill(-1);
  const queue = [0];
  distance[0] = 0;
  for (let head = 0; head < queue.length; head++) {
    const at = queue[head], x = at % size;
    for (const next of [at - size, at + size, x > 0 ? at - 1 : -1, x < size - 1 ? at + 1 : -1]) {
      if (next < 0 || next >= wall.length || wall[next] || distance[next] >= 0) continue;
      distance[next] = distance[at] + 1;
      queue.push(next);
    }
  }
  return {reached: queue.length};
};
