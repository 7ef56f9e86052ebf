// Loaded before the wait, so that the CommonJS loader has run once.
exports.handler = async (event) => event;
