'use strict';

// usage: node contract.js - prints what the client knows of the wire, one line per field, value of an enum, or method.
const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(path.dirname(require.resolve('@qdrant/js-client-grpc')), 'proto');
const lines = new Set();

function message(name, proto) {
  for (const field of proto.field)
    lines.add(`${name}.${field.name} = ${field.number} ${field.type} ${field.label} ${field.typeName}`);
  for (const nested of proto.nestedType) message(`${name}.${nested.name}`, nested);
  for (const nested of proto.enumType) enumeration(`${name}.${nested.name}`, nested);
}

function enumeration(name, proto) {
  for (const item of proto.value) lines.add(`${name}.${item.name} = ${item.number}`);
}

for (const file of fs.readdirSync(folder)) {
  for (const [name, { proto }] of Object.entries(require(path.join(folder, file)))) {
    if (!name.startsWith('file_')) continue;
    for (const item of proto.messageType) message(`qdrant.${item.name}`, item);
    for (const item of proto.enumType) enumeration(`qdrant.${item.name}`, item);
    for (const service of proto.service) {
      for (const method of service.method)
        lines.add(`qdrant.${service.name}/${method.name} ${method.inputType} ${method.outputType}`);
    }
  }
}
console.log([...lines].sort().join('\n'));
