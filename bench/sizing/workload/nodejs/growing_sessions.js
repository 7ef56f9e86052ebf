// Evaluates the sessions of a day, whose number grows as the business does.
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const sessions = new Map();
  for (let i = 0; i < size; i++) {
    const id = `session-${rng(size)}`;
    const s = sessions.get(id) ?? {hits: 0, pages: [], basket: Buffer.alloc(4096, id)};
    s.hits++;
    s.pages.push(rng(50));
    sessions.set(id, s);
  }
  return {sessions: sessions.size};
};
