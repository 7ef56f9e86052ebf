// Imported before the wait, so that the ES module loader has run once.
export const handler = async (event) => event;
