// Run by an interpreter to tell what it is.
const fs = require('fs');
const path = require('path');
const mapped = fs.readFileSync('/proc/self/maps', 'utf8').match(/\/\S+\.so\b\S*/g) || [];
console.log(
  JSON.stringify({
    version: process.versions.node,
    path: fs.realpathSync(process.execPath),
    prefix: path.dirname(path.dirname(fs.realpathSync(process.execPath))),
    libraries: [...new Set(mapped)].sort(),
  }),
);
