'use strict';

// usage: node scenario.js URL APIKEY - collections, points and filters as Qdrant's own gRPC client uses them.
const kit = require('./kit');
const { assert, num, uuid, idOf, idsOf, dense, sparse, multi, unnamed, named, payload, object, field, match, must } = kit;
const { connect, fails, run, cosine, euclid, best } = kit;

const [url, apiKey] = process.argv.slice(2);
const { points, collections, service, snapshots } = connect(url, apiKey);
const invalid = 3, notFound = 5, exists = 6;

const collectionName = `js-${process.pid}`;
const random = kit.numbers(7);
const cities = ['Berlin', 'London', 'Moscow', 'Paris'];
const data = Array.from({ length: 120 }, (_, i) => ({
  id: i + 1,
  vector: Array.from({ length: 8 }, () => kit.round(random() * 2 - 1)),
  payload: {
    city: cities[i % cities.length],
    number: i,
    price: i / 4 + 0.5,
    sold: i % 3 === 0,
    tags: ['all', i % 2 ? 'odd' : 'even'],
    text: `the ${i % 5 ? 'quick brown' : 'slow green'} fox number${i}`,
    at: new Date(Date.UTC(2024, 0, 1 + i)).toISOString(),
    place: { lon: 13 + i / 100, lat: 52 + i / 100 },
    parts: [{ name: 'wheel', count: i % 4 }, { name: 'door', count: 2 }],
    ...(i % 10 ? { optional: i % 20 ? null : 'here' } : {}),
  },
}));
const query = data[16].vector;
const count = async (filter) => Number((await points.count({ collectionName, filter, exact: true })).result.count);
const expect = (predicate) => data.filter((point) => predicate(point.payload, point.id)).length;
const search = (filter, more = {}) =>
  points.query({ collectionName, query: kit.nearest(query), limit: 10n, filter, params: { exact: true }, ...more });

run({
  async health() {
    const { version } = await service.healthCheck({});
    assert.match(version, /^1\.19\./);
  },
  async create() {
    const config = { config: { case: 'params', value: { size: 8n, distance: 1 } } };
    const { result, time } = await collections.create({ collectionName, vectorsConfig: config });
    assert.ok(result);
    assert.ok(time >= 0);
    await fails(exists, /already exists/, collections.create({ collectionName, vectorsConfig: config }));
    assert.ok((await collections.list({})).collections.some(({ name }) => name === collectionName));
    assert.ok((await collections.collectionExists({ collectionName })).result.exists);
    assert.ok(!(await collections.collectionExists({ collectionName: 'nothing' })).result.exists);
    const info = (await collections.get({ collectionName })).result;
    assert.strictEqual(info.config.params.vectorsConfig.config.value.size, 8n);
    assert.strictEqual(info.config.hnswConfig.m, 16n);
    await fails(notFound, /Collection `nothing` doesn't exist/, collections.get({ collectionName: 'nothing' }));
  },
  async upsert_and_get() {
    const { result } = await points.upsert({
      collectionName,
      wait: true,
      points: data.map((point, i) => ({
        id: num(point.id),
        // Half as older clients send vectors.
        vectors: unnamed(i % 2 ? { data: point.vector } : dense(point.vector)),
        payload: payload(point.payload),
      })),
    });
    assert.strictEqual(result.status, 2);
    assert.strictEqual(await count(), data.length);
    const wanted = [7, 3, 99, 100000, 50];
    const got = (await points.get({
      collectionName, ids: wanted.map(num), withPayload: { selectorOptions: { case: 'enable', value: true } },
      withVectors: { selectorOptions: { case: 'enable', value: true } },
    })).result;
    assert.deepStrictEqual(idsOf(got), [7, 3, 99, 50]);
    assert.deepStrictEqual(object(got[0].payload), data[6].payload);
    const output = got[0].vectors.vectorsOptions.value;
    const length = Math.hypot(...data[6].vector);
    for (const numbers of [output.vector.value.data, output.data]) {
      assert.strictEqual(numbers.length, 8);
      numbers.forEach((x, i) => assert.ok(Math.abs(x - data[6].vector[i] / length) < 1e-5));
    }
  },
  async scroll() {
    const seen = [];
    let offset;
    do {
      const page = await points.scroll({ collectionName, limit: 17, offset });
      seen.push(...idsOf(page.result));
      offset = page.nextPageOffset;
    } while (offset);
    assert.deepStrictEqual(seen, data.map(({ id }) => id));
    const few = await points.scroll({
      collectionName, limit: 5, filter: must(match('city', 'keyword', 'Paris')), offset: num(50),
      withPayload: { selectorOptions: { case: 'include', value: { fields: ['number'] } } },
    });
    const paris = data.filter((point) => point.payload.city === 'Paris' && point.id >= 50);
    assert.deepStrictEqual(idsOf(few.result), paris.slice(0, 5).map(({ id }) => id));
    assert.deepStrictEqual(few.result.map((point) => object(point.payload)), paris.slice(0, 5).map((p) => ({ number: p.payload.number })));
    assert.strictEqual(idOf(few.nextPageOffset), paris[5].id);
  },
  async filters() {
    const cases = [
      [must(match('city', 'keyword', 'Berlin')), (p) => p.city === 'Berlin'],
      [must(match('number', 'integer', 5n)), (p) => p.number === 5],
      [must(match('sold', 'boolean', true)), (p) => p.sold],
      [must(match('city', 'keywords', { strings: ['Paris', 'London'] })), (p) => ['Paris', 'London'].includes(p.city)],
      [must(match('city', 'exceptKeywords', { strings: ['Paris'] })), (p) => p.city !== 'Paris'],
      [must(match('number', 'integers', { integers: [1n, 2n, 500n] })), (p) => [1, 2].includes(p.number)],
      [must(match('tags', 'keyword', 'odd')), (p) => p.tags.includes('odd')],
      [must(field('price', { range: { gte: 5, lt: 10 } })), (p) => p.price >= 5 && p.price < 10],
      [must(field('tags', { valuesCount: { gte: 2n } })), () => true],
      [must(field('place', { geoRadius: { center: { lon: 13, lat: 52 }, radius: 2000 } })), (p) => p.number <= 1],
      [must(field('place', {
        geoBoundingBox: { topLeft: { lon: 13.095, lat: 52.205 }, bottomRight: { lon: 13.205, lat: 52 } },
      })), (p) => p.number >= 10 && p.number <= 20],
      [must(field('at', { datetimeRange: { gte: { seconds: BigInt(Date.UTC(2024, 0, 11) / 1000) } } })), (p) => p.number >= 10],
      [must({ conditionOneOf: { case: 'hasId', value: { hasId: [num(1), num(2), num(777)] } } }), (_, id) => id <= 2],
      [must({ conditionOneOf: { case: 'isEmpty', value: { key: 'optional' } } }), (p) => p.optional === undefined || p.optional === null],
      [must({ conditionOneOf: { case: 'isNull', value: { key: 'optional' } } }), (p) => p.optional === null],
      [{ should: [match('number', 'integer', 1n), match('number', 'integer', 2n)] }, (p) => [1, 2].includes(p.number)],
      [{ mustNot: [match('city', 'keyword', 'Berlin')] }, (p) => p.city !== 'Berlin'],
      [{
        minShould: {
          minCount: 2n,
          conditions: [match('city', 'keyword', 'Berlin'), match('sold', 'boolean', true), match('tags', 'keyword', 'odd')],
        },
      }, (p) => [p.city === 'Berlin', p.sold, p.tags.includes('odd')].filter(Boolean).length >= 2],
      [must({
        conditionOneOf: {
          case: 'nested',
          value: { key: 'parts', filter: must(match('name', 'keyword', 'wheel'), match('count', 'integer', 2n)) },
        },
      }), (p) => p.parts[0].count === 2],
      [must({ conditionOneOf: { case: 'hasVector', value: { hasVector: '' } } }), () => true],
    ];
    for (const [filter, predicate] of cases)
      assert.strictEqual(await count(filter), expect(predicate), JSON.stringify(filter, (_, x) => typeof x === 'bigint' ? String(x) : x));
  },
  async nearest() {
    const all = (await search()).result;
    assert.deepStrictEqual(idsOf(all), best(data, (p) => cosine(p.vector, query), 10));
    assert.ok(Math.abs(all[0].score - 1) < 1e-5);
    const some = (await search(must(match('city', 'keyword', 'Moscow')), { offset: 2n })).result;
    const moscow = data.filter((p) => p.payload.city === 'Moscow');
    assert.deepStrictEqual(idsOf(some), best(moscow, (p) => cosine(p.vector, query), 12).slice(2));
    const near = (await search(undefined, { scoreThreshold: 0.5, limit: 100n })).result;
    assert.strictEqual(near.length, data.filter((p) => cosine(p.vector, query) >= 0.5).length);
    const byPoint = (await points.query({
      collectionName, limit: 5n, query: { variant: { case: 'nearest', value: kit.byId(17) } }, params: { exact: true },
    })).result;
    assert.deepStrictEqual(idsOf(byPoint), best(data.filter((p) => p.id !== 17), (p) => cosine(p.vector, query), 5));
  },
  async vectors_and_ids_of_all_kinds() {
    const collectionName = `js-kinds-${process.pid}`;
    await collections.create({
      collectionName,
      vectorsConfig: {
        config: {
          case: 'paramsMap',
          value: {
            map: {
              small: { size: 2n, distance: 2 }, many: { size: 2n, distance: 3, multivectorConfig: { comparator: 0 } },
            },
          },
        },
      },
      sparseVectorsConfig: { map: { words: {} } },
    });
    const first = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';
    await points.upsert({
      collectionName, wait: true,
      points: [
        { id: uuid(first), vectors: named({ small: dense([1, 2]), words: sparse([1, 500000], [1, 2]), many: multi([1, 0], [0, 1]) }) },
        { id: num(2), vectors: named({ small: dense([3, 4]), words: sparse([1], [5]) }) },
        { id: num(3), vectors: named({ many: multi([2, 2]) }) },
        // Sparse and several vectors as older clients send them.
        { id: num(4), vectors: named({ words: { data: [3], indices: { data: [500000] } }, many: { data: [1, 1, 4, 0], vectorsCount: 2 } }) },
      ],
    });
    const small = await points.query({ collectionName, using: 'small', query: kit.nearest([1, 2]), limit: 10n });
    assert.deepStrictEqual(idsOf(small.result), [first, 2]);
    assert.ok(Math.abs(small.result[1].score - euclid([1, 2], [3, 4])) < 1e-5);
    const words = await points.query({
      collectionName, using: 'words', limit: 10n,
      query: { variant: { case: 'nearest', value: { variant: { case: 'sparse', value: { indices: [500000, 1], values: [2, 1] } } } } },
    });
    assert.deepStrictEqual(words.result.map((p) => [idOf(p.id), p.score]), [[4, 6], [first, 5], [2, 5]].sort((a, b) => b[1] - a[1] || (a[0] === first ? 1 : -1)));
    const many = await points.query({
      collectionName, using: 'many', limit: 10n,
      query: { variant: { case: 'nearest', value: { variant: { case: 'multiDense', value: { vectors: [{ data: [1, 0] }, { data: [0, 1] }] } } } } },
      withVectors: { selectorOptions: { case: 'include', value: { names: ['many'] } } },
    });
    assert.deepStrictEqual(many.result.map((p) => [idOf(p.id), p.score]), [[4, 5], [3, 4], [first, 2]]);
    assert.strictEqual(many.result[0].vectors.vectorsOptions.value.vectors.many.vector.value.vectors.length, 2);
    await collections.delete({ collectionName });
  },
  async payloads() {
    const ids = (...numbers) => ({ pointsSelectorOneOf: { case: 'points', value: { ids: numbers.map(num) } } });
    const of = async (id) => object((await points.get({ collectionName, ids: [num(id)] })).result[0].payload);
    await points.setPayload({ collectionName, wait: true, payload: payload({ extra: 1, city: 'Rome' }), pointsSelector: ids(1, 2) });
    assert.strictEqual((await of(1)).city, 'Rome');
    assert.strictEqual((await of(2)).number, 1);
    await points.setPayload({ collectionName, wait: true, payload: payload({ inner: true }), key: 'place', pointsSelector: ids(1) });
    assert.strictEqual((await of(1)).place.inner, true);
    await points.overwritePayload({ collectionName, wait: true, payload: payload({ only: 'this' }), pointsSelector: ids(2) });
    assert.deepStrictEqual(await of(2), { only: 'this' });
    await points.deletePayload({ collectionName, wait: true, keys: ['extra', 'place.inner'], pointsSelector: ids(1) });
    assert.strictEqual((await of(1)).extra, undefined);
    await points.setPayload({
      collectionName, wait: true, payload: payload({ marked: true }),
      pointsSelector: { pointsSelectorOneOf: { case: 'filter', value: must(match('city', 'keyword', 'London')) } },
    });
    assert.strictEqual(await count(must(match('marked', 'boolean', true))), expect((p, id) => p.city === 'London' && id > 2));
    await points.clearPayload({ collectionName, wait: true, points: ids(1) });
    assert.deepStrictEqual(await of(1), {});
    await points.overwritePayload({ collectionName, wait: true, payload: payload(data[0].payload), pointsSelector: ids(1) });
    await points.overwritePayload({ collectionName, wait: true, payload: payload(data[1].payload), pointsSelector: ids(2) });
  },
  async vectors() {
    const get = async (id) => (await points.get({
      collectionName, ids: [num(id)], withVectors: { selectorOptions: { case: 'enable', value: true } },
    })).result[0].vectors;
    await points.updateVectors({ collectionName, wait: true, points: [{ id: num(3), vectors: unnamed(dense([1, 0, 0, 0, 0, 0, 0, 0])) }] });
    assert.strictEqual((await get(3)).vectorsOptions.value.vector.value.data[0], 1);
    await points.deleteVectors({
      collectionName, wait: true, pointsSelector: { pointsSelectorOneOf: { case: 'points', value: { ids: [num(3)] } } }, vectors: { names: [''] },
    });
    assert.strictEqual(await get(3), undefined);
    await points.updateVectors({ collectionName, wait: true, points: [{ id: num(3), vectors: unnamed(dense(data[2].vector)) }] });
  },
  async batch_in_order() {
    const id = num(5000);
    const selector = { pointsSelectorOneOf: { case: 'points', value: { ids: [id] } } };
    const { result } = await points.updateBatch({
      collectionName, wait: true,
      operations: [
        { operation: { case: 'upsert', value: { points: [{ id, vectors: unnamed(dense(query)), payload: payload({ a: 1 }) }] } } },
        { operation: { case: 'setPayload', value: { payload: payload({ b: 2 }), pointsSelector: selector } } },
        { operation: { case: 'deletePayload', value: { keys: ['a'], pointsSelector: selector } } },
      ],
    });
    assert.strictEqual(result.length, 3);
    assert.deepStrictEqual(object((await points.get({ collectionName, ids: [id] })).result[0].payload), { b: 2 });
    await points.delete({ collectionName, wait: true, points: selector });
    assert.strictEqual((await points.get({ collectionName, ids: [id] })).result.length, 0);
  },
  async aliases() {
    const aliasName = `js-alias-${process.pid}`;
    const change = (name, item) => collections.updateAliases({ actions: [{ action: { case: name, value: item } }] });
    await change('createAlias', { aliasName, collectionName });
    assert.strictEqual(Number((await points.count({ collectionName: aliasName, exact: true })).result.count), data.length);
    assert.deepStrictEqual((await collections.listCollectionAliases({ collectionName })).aliases.map((a) => a.aliasName), [aliasName]);
    await change('renameAlias', { oldAliasName: aliasName, newAliasName: aliasName + '2' });
    assert.ok((await collections.listAliases({})).aliases.some((a) => a.aliasName === aliasName + '2'));
    await fails(notFound, /doesn't exist/, points.count({ collectionName: aliasName }));
    await fails(notFound, /doesn't exist/, change('createAlias', { aliasName, collectionName: 'nothing' }));
    await change('deleteAlias', { aliasName: aliasName + '2' });
    assert.strictEqual((await collections.listCollectionAliases({ collectionName })).aliases.length, 0);
  },
  async update_settings() {
    await collections.update({ collectionName, optimizersConfig: { indexingThreshold: 5000n }, hnswConfig: { m: 24n } });
    const { config } = (await collections.get({ collectionName })).result;
    assert.strictEqual(config.optimizerConfig.indexingThreshold, 5000n);
    assert.strictEqual(config.hnswConfig.m, 24n);
    assert.strictEqual(config.hnswConfig.efConstruct, 100n);
    const shards = (await collections.collectionClusterInfo({ collectionName })).localShards;
    assert.strictEqual(shards.reduce((sum, shard) => sum + Number(shard.pointsCount), 0), data.length);
  },
  async snapshots() {
    const { snapshotDescription: made } = await snapshots.create({ collectionName });
    assert.ok(made.size > 0n && made.name.includes(collectionName) && made.checksum.length === 64);
    assert.deepStrictEqual((await snapshots.list({ collectionName })).snapshotDescriptions.map(({ name }) => name), [made.name]);
    await snapshots.delete({ collectionName, snapshotName: made.name });
    await fails(notFound, /snapshot/i, snapshots.delete({ collectionName, snapshotName: made.name }));
    assert.deepStrictEqual((await snapshots.list({ collectionName })).snapshotDescriptions, []);
    const { snapshotDescription: full } = await snapshots.createFull({});
    assert.ok((await snapshots.listFull({})).snapshotDescriptions.some(({ name, size }) => name === full.name && size === full.size));
    await snapshots.deleteFull({ snapshotName: full.name });
    await fails(notFound, /doesn't exist/, snapshots.create({ collectionName: 'nothing' }));
  },
  async bad_input() {
    const before = await count();
    const upsert = (vectors, id = num(9000)) => points.upsert({ collectionName, wait: true, points: [
      { id: num(9001), vectors: unnamed(dense(query)) }, { id, vectors },
    ] });
    await fails(invalid, /dim/i, upsert(unnamed(dense([1, 2, 3]))));
    await fails(invalid, /finite|NaN/i, upsert(unnamed(dense([NaN, 0, 0, 0, 0, 0, 0, 1]))));
    await fails(invalid, /finite|Infinity/i, upsert(unnamed(dense([Infinity, 0, 0, 0, 0, 0, 0, 1]))));
    await fails(invalid, /nobody/, upsert(named({ nobody: dense(query) })));
    await fails(invalid, /UUID/, upsert(unnamed(dense(query)), uuid('not a uuid')));
    await fails(invalid, /id/, upsert(unnamed(dense(query)), {}));
    await fails(invalid, /nan|finite/i, points.upsert({ collectionName, points: [
      { id: num(9001), vectors: unnamed(dense(query)), payload: { x: { kind: { case: 'doubleValue', value: NaN } } } },
    ] }));
    assert.strictEqual(await count(), before, 'nothing of a bad request is written');
    await fails(invalid, /dim/i, points.query({ collectionName, query: kit.nearest([1, 2]), limit: 1n }));
    await fails(invalid, /limit/, points.query({ collectionName, query: kit.nearest(query), limit: 5000000n }));
    await fails(invalid, /limit/, points.query({ collectionName, query: kit.nearest(query), limit: 1n << 63n }));
    await fails(invalid, /using|nobody/, points.query({ collectionName, query: kit.nearest(query), using: 'nobody' }));
    await fails(invalid, /city/, points.count({ collectionName, filter: must(field('city', {})) }));
    await fails(invalid, /empty|known/, points.count({ collectionName, filter: { must: [{}] } }));
    await fails(invalid, /text|document|support/i, points.query({
      collectionName, query: { variant: { case: 'nearest', value: { variant: { case: 'document', value: { text: 'x', model: 'm' } } } } },
    }));
    await fails(notFound, /doesn't exist/, points.upsert({ collectionName: 'nothing', points: [] }));
    await fails(notFound, /4711/, points.query({ collectionName, query: { variant: { case: 'nearest', value: kit.byId(4711) } } }));
    const big = 'x'.repeat(10 << 20);
    await points.upsert({ collectionName, wait: true, points: [{ id: num(9001), vectors: unnamed(dense(query)), payload: payload({ big }) }] });
    const got = (await points.get({ collectionName, ids: [num(9001)] })).result[0];
    assert.strictEqual(object(got.payload).big.length, big.length);
    await fails(invalid, /payload/, points.upsert({
      collectionName, points: [{ id: num(9002), payload: payload({ big: big + big }) }],
    }));
    await points.delete({ collectionName, wait: true, points: { pointsSelectorOneOf: { case: 'points', value: { ids: [num(9001)] } } } });
    await fails(invalid, /size/, collections.create({
      collectionName: 'bad', vectorsConfig: { config: { case: 'params', value: { size: 0n, distance: 1 } } },
    }));
    await fails(invalid, /distance/, collections.create({
      collectionName: 'bad', vectorsConfig: { config: { case: 'params', value: { size: 4n } } },
    }));
    await fails(invalid, /char/, collections.create({ collectionName: 'a/b' }));
    assert.ok(!(await collections.collectionExists({ collectionName: 'bad' })).result.exists);
    await fails(16, /key/, connect(url, 'wrong').points.count({ collectionName }));
  },
  async delete_by_filter_and_collection() {
    await points.delete({
      collectionName, wait: true, points: { pointsSelectorOneOf: { case: 'filter', value: must(match('city', 'keyword', 'Berlin')) } },
    });
    assert.strictEqual(await count(), expect((p) => p.city !== 'Berlin'));
    assert.ok((await collections.delete({ collectionName })).result);
    assert.ok(!(await collections.delete({ collectionName })).result);
    await fails(notFound, /doesn't exist/, points.scroll({ collectionName }));
    await collections.create({ collectionName, vectorsConfig: { config: { case: 'params', value: { size: 8n, distance: 1 } } } });
    assert.strictEqual(await count(), 0, 'a new collection of an old name is empty');
    await collections.delete({ collectionName });
  },
});
