// From the name of a handler to the function it names.
'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { HandlerNotFound, ImportModuleError, MalformedHandlerName, UserCodeSyntaxError } = require('./errors.cjs');
const { HttpResponseStream, streamifyResponse } = require('./stream.cjs');

// load returns the function named by handler ("dir/module.member.member") in
// the code under root.
async function load(root, handler) {
  if (handler.includes('..')) {
    throw new MalformedHandlerName(
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const name = path.basename(handler);
  const directory = handler.substring(0, handler.indexOf(name));
  const match = name.match(/^([^.]*)\.(.*)$/);
  if (!match) {
    throw new MalformedHandlerName('Bad handler');
  }
  if (!/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) {
    globalThis.awslambda = { streamifyResponse, HttpResponseStream };
  }
  const module = await loadModule(root, directory, match[1]);
  const found = match[2].split('.').reduce((object, member) => object && object[member], module);
  if (!found) {
    throw new HandlerNotFound(`${handler} is undefined or not exported`);
  }
  if (typeof found !== 'function') {
    throw new HandlerNotFound(`${handler} is not a function`);
  }
  return found;
}

async function loadModule(root, directory, module) {
  try {
    return await requireOrImport(root, directory, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new UserCodeSyntaxError(error);
    }
    if (error && error.code === 'MODULE_NOT_FOUND') {
      throw new ImportModuleError(error);
    }
    throw error;
  }
}

// requireOrImport looks for the module in the order of Lambda: a file without
// extension, .js (as its package.json says), .mjs, .cjs, TypeScript where the
// interpreter understands it, and at last wherever require finds it.
async function requireOrImport(root, directory, module) {
  const base = path.resolve(root, directory, module);
  const isModule = inModulePackage(path.dirname(base));
  const typed = Number(process.versions.node.split('.')[0]) >= 24;
  if (fs.existsSync(base)) {
    return require(base); // a directory, too
  }
  const candidates = [
    ['.js', isModule ? importFile : requireFile],
    ['.mjs', importFile],
    ['.cjs', requireFile],
    ...(typed
      ? [
          ['.ts', isModule ? importFile : requireFile],
          ['.mts', importFile],
          ['.cts', requireFile],
        ]
      : []),
  ];
  for (const [extension, loader] of candidates) {
    if (isFile(base + extension)) {
      return loader(base + extension);
    }
  }
  return require(require.resolve(module, { paths: [root, directory] }));
}

const requireFile = (file) => require(file);

const importFile = (file) => import(pathToFileURL(file).href);

function isFile(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile();
}

// inModulePackage reports whether the nearest package.json has type "module".
function inModulePackage(directory) {
  if (directory.endsWith('/node_modules')) {
    return false;
  }
  const file = path.join(directory, 'package.json');
  if (isFile(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return directory !== '/' && inModulePackage(path.dirname(directory));
}

module.exports = { load };
