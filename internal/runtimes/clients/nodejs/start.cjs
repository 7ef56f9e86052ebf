// The start message: what turns a bare interpreter into a function's process.
'use strict';

const fs = require('fs');

// readStartMessage waits for the start message and returns {argv, env}.
function readStartMessage(descriptor) {
  const read = (n) => {
    const data = Buffer.alloc(n);
    for (let have = 0; have < n; ) {
      const got = fs.readSync(descriptor, data, have, n - have, null);
      if (got === 0) {
        process.exit(0); // the node let go of this environment
      }
      have += got;
    }
    return data;
  };
  const strings = read(read(4).readUInt32LE(0)).toString('utf8').split('\0');
  fs.closeSync(descriptor);
  const argc = Number(strings[0]);
  const env = {};
  for (const entry of strings.slice(1 + argc)) {
    const at = entry.indexOf('=');
    if (at > 0) {
      env[entry.slice(0, at)] = entry.slice(at + 1);
    }
  }
  return { argv: strings.slice(1, 1 + argc), env };
}

// replaceProcess executes argv with env in place of this process and doesn't
// return. Before Node.js 22.15 there is no execve: the program then runs as a
// child, and this process, whose only remaining part is to have the same end,
// costs its few megabytes of unshared memory.
function replaceProcess(argv, env) {
  process.chdir(env.LAMBDA_TASK_ROOT || '.');
  try {
    fs.accessSync(argv[0], fs.constants.X_OK);
  } catch (e) {
    fail(argv[0], e);
  }
  if (typeof process.execve === 'function') {
    process.execve(argv[0], argv, env);
  }
  const { error, signal, status } = require('child_process').spawnSync(argv[0], argv.slice(1), {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) {
    fail(argv[0], error);
  }
  if (signal) {
    process.kill(process.pid, signal);
  }
  process.exit(status);
}

// fail ends the process as a shell does that can't execute a program.
function fail(program, error) {
  const missing = error.code === 'ENOENT';
  process.stderr.write(`${program}: ${missing ? 'No such file or directory' : 'Permission denied'}\n`);
  process.exit(missing ? 127 : 126);
}

module.exports = { readStartMessage, replaceProcess };
