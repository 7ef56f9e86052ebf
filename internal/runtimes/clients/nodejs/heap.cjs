// The heap of a function with little memory.
//
// V8 sizes its heap when a process starts, by the memory of the machine, and the
// limit can't be changed later; a pre-booted process doesn't know its function's
// memory by then. Left alone, V8 lets garbage pile up beyond what a small
// function has, and the kernel ends it. What can be changed later is how far the
// heap grows between collections, and whether the young generation may grow (to
// three times 16 MB). A function that needs to choose for itself sets
// NODE_OPTIONS=--max-old-space-size=...
'use strict';

const v8 = require('v8');

function fitHeap(memoryMB) {
  if (memoryMB <= 256) {
    v8.setFlagsFromString('--semi-space-growth-factor=1');
    v8.setFlagsFromString('--heap-growing-percent=20');
  } else if (memoryMB <= 1024) {
    v8.setFlagsFromString('--heap-growing-percent=50');
  }
}

module.exports = { fitHeap };
