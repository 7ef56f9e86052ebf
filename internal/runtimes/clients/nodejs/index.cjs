// Hearth's runtime client for Node.js 16 and later.
//
// The interpreter boots before anybody knows which function it will run: this
// file loads what every function needs and waits for the start message on the
// control descriptor. Then it takes over the function's environment, loads the
// handler and serves invocations from the Runtime API until the environment is
// ended.
//
// What functions and callers see (messages, shapes of errors, log lines, the
// context object, what happens when the event loop runs dry) is that of AWS's
// own client, aws-lambda-ric.
'use strict';

const Module = require('module');

// Loaded for the function's sake: nearly every one needs them, directly or
// through an SDK, and here they are loaded before anybody waits.
require('http');
require('https');

const { replaceProcess, readStartMessage } = require('./start.cjs');
const { RuntimeAPI } = require('./api.cjs');
const { fitHeap } = require('./heap.cjs');
const { patchConsole } = require('./logs.cjs');
const { load } = require('./handler.cjs');
const { Runtime } = require('./runtime.cjs');

async function main() {
  void process.stdout; // opened now, not at the first line of a log
  const descriptor = process.env.HEARTH_CONTROL_FD;
  if (descriptor !== undefined) {
    delete process.env.HEARTH_CONTROL_FD;
    await warmUp();
    const { argv, env } = readStartMessage(Number(descriptor));
    if (argv.length > 0) {
      replaceProcess(argv, env);
    }
    adoptEnvironment(env);
  }
  fitHeap(Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE) || Infinity);
  const root = process.env.LAMBDA_TASK_ROOT;
  process.chdir(root);
  patchConsole();
  const runtime = new Runtime(new RuntimeAPI(process.env.AWS_LAMBDA_RUNTIME_API));
  runtime.serve(await load(root, process.env._HANDLER || ''));
}

// warmUp runs what every start will run, once before anybody waits for it: code
// that ran is compiled, and the first use of a loader or a socket is the slow one.
async function warmUp() {
  await load(__dirname, 'warm/commonjs.handler');
  await load(__dirname, 'warm/module.handler');
  delete globalThis.awslambda;
  await new RuntimeAPI('127.0.0.1:1').next().catch(() => {}); // nobody listens there
}

function adoptEnvironment(env) {
  for (const name of Object.keys(process.env)) {
    if (!(name in env)) {
      delete process.env[name];
    }
  }
  Object.assign(process.env, env);
  Module._initPaths(); // reads NODE_PATH again
}

// A failure to load the function becomes an uncaught exception, which the
// runtime reports as the initialisation's error.
main().catch((error) => {
  setImmediate(() => {
    throw error;
  });
});
