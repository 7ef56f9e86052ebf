// Makes a photograph smaller, with bilinear interpolation.
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const photo = Buffer.alloc(size * size * 4, Buffer.from(Array.from({length: 4096}, () => rng(256))));
  const side = 160, small = Buffer.alloc(side * side * 4), step = (size - 2) / side;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const fx = x * step, fy = y * step, x0 = fx | 0, y0 = fy | 0, dx = fx - x0, dy = fy - y0;
      for (let c = 0; c < 4; c++) {
        const at = (y0 * size + x0) * 4 + c;
        small[(y * side + x) * 4 + c] = photo[at] * (1 - dx) * (1 - dy) + photo[at + 4] * dx * (1 - dy) + photo[at + size * 4] * (1 - dx) * dy + photo[at + size * 4 + 4] * dx * dy;
      }
    }
  }
  return {from: photo.length, to: small.length};
};
