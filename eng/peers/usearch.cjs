// usearch as a peer of the vector benchmark, on one thread: told what to do a line at a time on standard input, answers a line with
// CPU seconds and a second number. Arguments: node_modules vectors queries truth dimensions l2|ip M ef_construct k f32|i8 graph
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const [modules, vectorsPath, queriesPath, truthPath, dimensionsText, metric, m, efConstruct, kText, scalar, graphPath] =
  process.argv.slice(2);
const usearch = require(path.join(modules, 'usearch'));
const dimensions = Number(dimensionsText);
const k = Number(kText);
const batch = 1000;

function read(file, Type) {
  const bytes = fs.readFileSync(file);
  return new Type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function cpuSeconds() {
  const usage = process.cpuUsage();
  return (usage.user + usage.system) / 1e6;
}

function anonymousBytes() {
  return Number(/RssAnon:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

function makeIndex(ef) {
  return new usearch.Index({
    dimensions, metric: metric === 'l2' ? 'l2sq' : 'ip', quantization: scalar, connectivity: Number(m),
    expansion_add: Number(efConstruct), expansion_search: ef, multi: false,
  });
}

const queries = read(queriesPath, Float32Array);
const truth = read(truthPath, Int32Array);
const queryCount = queries.length / dimensions;

function build() {
  const vectors = read(vectorsPath, Float32Array);
  const count = vectors.length / dimensions;
  const index = makeIndex(Number(efConstruct));
  const before = anonymousBytes();
  const start = cpuSeconds();
  for (let first = 0; first < count; first += batch) {
    const end = Math.min(count, first + batch);
    const keys = new BigUint64Array(end - first);
    for (let i = first; i < end; i++) keys[i - first] = BigInt(i);
    index.add(keys, vectors.subarray(first * dimensions, end * dimensions), 1);
  }
  const seconds = cpuSeconds() - start;
  const bytes = anonymousBytes() - before;
  index.save(graphPath);
  return `${seconds} ${bytes}`;
}

// The number of candidates is a setting of an index: one is loaded for each.
const loaded = new Map();

function search(ef) {
  if (!loaded.has(ef)) {
    loaded.clear();
    const index = makeIndex(ef);
    index.load(graphPath);
    loaded.set(ef, index);
  }
  const index = loaded.get(ef);
  let seconds = 0;
  let hits = 0;
  for (let first = 0; first < queryCount; first += batch) {
    const end = Math.min(queryCount, first + batch);
    const part = queries.subarray(first * dimensions, end * dimensions);
    const start = cpuSeconds();
    const matches = index.search(part, k, 1);
    seconds += cpuSeconds() - start;
    for (let query = first; query < end; query++) {
      const wanted = truth.subarray(query * k, (query + 1) * k);
      for (let i = 0; i < k; i++) hits += wanted.includes(Number(matches.keys[(query - first) * k + i])) ? 1 : 0;
    }
  }
  return `${seconds} ${hits / (queryCount * k)}`;
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  const [command, argument] = line.split(' ');
  process.stdout.write((command === 'build' ? build() : search(Number(argument))) + '\n');
});
