// The console of a function: one entry of the log a call, in Lambda's formats.
'use strict';

const { format } = require('util');
const { logged } = require('./errors.cjs');

const PRIORITIES = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };

const METHODS = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };

let json = false;
let requestId;
let tenantId;

// setInvocation names the invocation that entries belong to from now on.
function setInvocation(request, tenant) {
  requestId = request;
  tenantId = tenant;
}

// patchConsole replaces the console's methods, as the environment asks.
function patchConsole() {
  json = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const lowest = PRIORITIES[(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()] || PRIORITIES.TRACE;
  const write = json ? writeJSON : writeText;
  for (const [method, level] of Object.entries(METHODS)) {
    console[method] = PRIORITIES[level] >= lowest ? (...values) => write(level, values) : () => {};
  }
}

// logError writes an error of an invocation or of the initialisation.
function logError(what, error) {
  const value = error instanceof Error ? error : new Error(error);
  if (json) {
    console.error(value);
  } else {
    console.error(what, logged(value));
  }
}

// Line feeds would cut an entry in two.
function writeLine(line) {
  process.stdout.write(line.replace(/\n/g, '\r') + '\n');
}

function writeText(level, values) {
  writeLine(`${new Date().toISOString()}\t${requestId}\t${level}\t${format(...values)}`);
}

function writeJSON(level, values) {
  const entry = { timestamp: new Date().toISOString(), level, requestId };
  if (tenantId) {
    entry.tenantId = tenantId;
  }
  if (values.length === 1) {
    entry.message = values[0];
    try {
      return writeLine(JSON.stringify(entry, (_key, value) => (value instanceof Error ? describe(value, value) : value)));
    } catch {
      entry.message = format(values[0]); // a circle, a BigInt
      return writeLine(JSON.stringify(entry));
    }
  }
  entry.message = format(...values);
  const error = values.find((value) => value instanceof Error);
  if (error) {
    Object.assign(entry, describe(error));
  }
  writeLine(JSON.stringify(entry));
}

function describe(error, members) {
  return Object.assign(
    {
      errorType: error.constructor ? error.constructor.name : 'UnknownError',
      errorMessage: error.message,
      stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
    },
    members,
  );
}

module.exports = { logError, patchConsole, setInvocation };
