// The errors of the runtime itself, and what callers and logs get of an error.
'use strict';

const { isNativeError } = require('util').types;

// runtimeError makes a class of errors whose name is Runtime.<name>.
function runtimeError(name) {
  const type = { [name]: class extends Error {} }[name];
  type.prototype.name = `Runtime.${name}`;
  return type;
}

const ImportModuleError = runtimeError('ImportModuleError');
const HandlerNotFound = runtimeError('HandlerNotFound');
const MalformedHandlerName = runtimeError('MalformedHandlerName');
const MalformedStreamingHandler = runtimeError('MalformedStreamingHandler');
const InvalidStreamingOperation = runtimeError('InvalidStreamingOperation');

class UserCodeSyntaxError extends runtimeError('UserCodeSyntaxError') {
  constructor(cause) {
    super(cause);
    this.stack = cause.stack; // says where the mistake is
  }
}

class UnhandledPromiseRejection extends runtimeError('UnhandledPromiseRejection') {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}

class NodeJsExit extends runtimeError('NodeJsExit') {
  constructor() {
    super(
      'The Lambda runtime client detected an unexpected Node.js exit code. ' +
        'This is most commonly caused by a Promise that was never settled. ' +
        'For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes',
    );
  }
}

// report returns the object that callers get for an error.
function report(error) {
  try {
    if (isNativeError(error) || looksLikeError(error)) {
      return { errorType: error.name, errorMessage: error.message, trace: error.stack.split('\n') };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

function looksLikeError(value) {
  return (
    value &&
    typeof value.name === 'string' &&
    typeof value.message === 'string' &&
    typeof value.stack === 'string' &&
    value.name !== '' &&
    value.message !== ''
  );
}

// logged returns the error as it stands in a text log.
function logged(error) {
  try {
    return '\t' + JSON.stringify(error, (_key, value) => withHiddenMembers(value));
  } catch {
    return '\t' + JSON.stringify(report(error));
  }
}

// withHiddenMembers adds what JSON.stringify leaves out of an error.
function withHiddenMembers(value) {
  if (!(value instanceof Error)) {
    return value;
  }
  const members = Object.assign({ errorType: value.name, errorMessage: value.message, code: value.code }, value);
  if (typeof value.stack === 'string') {
    members.stack = value.stack.split('\n');
  }
  return members;
}

module.exports = {
  HandlerNotFound,
  ImportModuleError,
  InvalidStreamingOperation,
  MalformedHandlerName,
  MalformedStreamingHandler,
  NodeJsExit,
  UnhandledPromiseRejection,
  UserCodeSyntaxError,
  logged,
  report,
};
