// An ES module with a top-level await, as Node.js functions are written today.
const ready = await Promise.resolve('ready')

export const handler = async (event) => ({ module: 'esm', ready, event })
