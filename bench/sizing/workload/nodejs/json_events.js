// Reads events from JSON, groups them by user and answers JSON.
const {random} = require('./random');

exports.handler = async ({seed, size}) => {
  const rng = random(seed);
  const document = JSON.stringify(Array.from({length: size}, (_, i) => ({id: i, user: rng(100), type: ['view', 'click', 'buy'][rng(3)], at: Date.now()})));
  const users = new Map();
  for (const e of JSON.parse(document)) {
    const list = users.get(e.user) ?? [];
    list.push(e);
    users.set(e.user, list);
  }
  return {bytes: document.length, users: users.size};
};
