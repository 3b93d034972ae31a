// A YAML file as JSON. Arguments: the folder with the packages, the file.
'use strict';
const path = require('node:path');

const [modules, file] = process.argv.slice(2);
const { parse } = require(path.join(modules, 'yaml'));
process.stdout.write(JSON.stringify(parse(require('node:fs').readFileSync(file, 'utf8'))));
