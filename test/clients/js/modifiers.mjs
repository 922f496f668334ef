import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, column, connect, data, db, failure } from './tarn.mjs'

test('order', async () => {
  assert.deepEqual(await column('id', db.from('countries').select('id').order('id', { ascending: false })), [4, 3, 2, 1])
  const names = (options) => column('name', db.from('countries').select('name').order('name', options))
  assert.deepEqual(await names({}), ['Nepal', 'Norway', 'Peru', null])
  assert.deepEqual(await names({ nullsFirst: true }), [null, 'Nepal', 'Norway', 'Peru'])
  assert.deepEqual(await names({ ascending: false, nullsFirst: false }), ['Peru', 'Norway', 'Nepal', null])
})

test('order: by several columns and a JSON path', async () => {
  assert.deepEqual(
    await column('id', db.from('cities').select('id').order('country_id', { ascending: false }).order('order')),
    [4, 5, 6, 3, 2, 1]
  )
  assert.deepEqual(
    await column('id', db.from('users').select('id').order('address->>city', { nullsFirst: true })),
    [3, 2, 1]
  )
})

test('order: a referenced table', async () => {
  assert.deepEqual(
    await data(
      db
        .from('orchestral_sections')
        .select('name, instruments ( name )')
        .order('name', { referencedTable: 'instruments', ascending: false })
        .eq('id', 1)
    ),
    [{ name: 'strings', instruments: [{ name: 'violin' }, { name: 'viola' }, { name: 'cello' }] }]
  )
})

test('order: by a referenced table', async () => {
  assert.deepEqual(
    await column(
      'name',
      db.from('cities').select('name, country:countries ( name )').order('country(name)', { ascending: false }).order('id').limit(4)
    ),
    ['Lima', 'Cusco', 'Machu Picchu (ruins), lower town', 'Oslo']
  )
})

test('limit', async () => {
  assert.deepEqual(await column('id', db.from('countries').select('id').order('id').limit(1)), [1])
  assert.deepEqual(
    await data(
      db.from('orchestral_sections').select('name, instruments ( name )').limit(1, { referencedTable: 'instruments' }).lt('id', 3).order('id')
    ),
    [
      { name: 'strings', instruments: [{ name: 'violin' }] },
      { name: 'woodwinds', instruments: [{ name: 'oboe' }] },
    ]
  )
})

test('range', async () => {
  const ids = (from, to) => column('id', db.from('cities').select('id').order('id').range(from, to))
  assert.deepEqual(await ids(0, 1), [1, 2])
  assert.deepEqual(await ids(4, 9), [5, 6])
  assert.deepEqual(await ids(10, 19), [])
  assert.deepEqual(
    await data(
      db.from('orchestral_sections').select('instruments ( id )').eq('id', 1).range(1, 2, { referencedTable: 'instruments' })
    ),
    [{ instruments: [{ id: 2 }, { id: 3 }] }]
  )
})

test('range: past the end of a counted result', async () => {
  const error = await failure(416, 'PGRST103', db.from('cities').select('id', { count: 'exact' }).range(10, 19))
  assert.match(error.details, /offset of 10 .* 6 rows/)
})

test('single', async () => {
  const one = await answer(db.from('countries').select('name').limit(1).order('id').single())
  assert.deepEqual(one.data, { name: 'Norway' })
  const none = await failure(406, 'PGRST116', db.from('countries').select().eq('id', 99).single())
  assert.equal(none.details, 'The result contains 0 rows')
  const many = await failure(406, 'PGRST116', db.from('countries').select().single())
  assert.equal(many.details, 'The result contains 4 rows')
})

test('maybeSingle', async () => {
  assert.deepEqual(await data(db.from('countries').select('name').eq('id', 3).maybeSingle()), { name: 'Peru' })
  assert.equal(await data(db.from('countries').select().eq('id', 99).maybeSingle()), null)
  await failure(406, 'PGRST116', db.from('countries').select().maybeSingle())
})

test('stripNulls', async () => {
  assert.deepEqual(await data(db.from('countries').select('id, name, iso').gt('id', 2).order('id').stripNulls()), [
    { id: 3, name: 'Peru', iso: 'PE' },
    { id: 4 },
  ])
  assert.deepEqual(await data(db.from('countries').select('id, name').eq('id', 4).single().stripNulls()), { id: 4 })
})

test('csv', async () => {
  assert.equal(
    await data(db.from('cities').select('id, name, inhabitants').gt('id', 4).order('id').csv()),
    'id,name,inhabitants\n5,Cusco,428000\n6,"Machu Picchu (ruins), lower town",'
  )
})

test('geojson', async (t) => {
  if (!(await data(db.rpc('has_postgis')))) return t.skip('the server has no PostGIS')
  assert.deepEqual(await data(db.from('places').select().geojson()), {
    type: 'FeatureCollection',
    features: [
      { type: 'Feature', geometry: { type: 'Point', coordinates: [10.5, 59.9] }, properties: { id: 1, name: 'pier' } },
    ],
  })
})

test('explain', async () => {
  const text = await data(db.from('countries').select().explain())
  assert.match(text, /^Aggregate .*cost=/)
  assert.match(text, /Seq Scan on countries/)
  const [{ Plan: plan }] = await data(db.from('countries').select().explain({ format: 'json' }))
  assert.equal(plan['Node Type'], 'Aggregate')
  const analyzed = await data(
    db.from('countries').select('name').eq('id', 1).explain({ analyze: true, verbose: true, settings: true, buffers: true, wal: true })
  )
  assert.match(analyzed, /actual time=/)
  assert.match(analyzed, /Output: /)
  assert.match(analyzed, /Planning Time/)
})

test('explain: a single row, a write and a call', async () => {
  assert.match(await data(db.from('countries').select().eq('id', 1).single().explain()), /Aggregate/)
  assert.match(await data(db.from('stock').insert({ name: 'peg' }).select().explain()), /Insert on stock/)
  assert.match(await data(db.rpc('list_countries').explain()), /countries/)
  assert.match(await data(db.from('countries').select().csv().explain()), /Aggregate/)
  assert.equal((await answer(db.from('stock').select('*', { count: 'exact', head: true }).eq('name', 'peg'))).count, 0)
})

test('many requests at once', async () => {
  const ids = Array.from({ length: 60 }, (_, i) => (i % 6) + 1)
  const rows = await Promise.all(ids.map((id) => data(db.from('cities').select('id').eq('id', id).single())))
  assert.deepEqual(rows.map((row) => row.id), ids)
})

test('abortSignal', async () => {
  const aborter = new AbortController()
  setTimeout(() => aborter.abort(), 50)
  const begun = Date.now()
  const { error, status, data: nothing } = await db.rpc('pause', { seconds: 5 }).abortSignal(aborter.signal)
  assert.match(error.message, /AbortError/)
  assert.deepEqual([status, nothing], [0, null])
  assert.ok(Date.now() - begun < 4000)
  const late = await db.rpc('pause', { seconds: 5 }).abortSignal(AbortSignal.timeout(50))
  assert.match(late.error.message, /TimeoutError/)
  assert.equal(await data(db.rpc('pause', { seconds: 0 })), 1)
})

test('returns, overrideTypes', async () => {
  assert.deepEqual(await data(db.from('countries').select('id').eq('id', 1).returns()), [{ id: 1 }])
  assert.deepEqual(await data(db.from('countries').select('id').eq('id', 1).single().overrideTypes()), { id: 1 })
})

test('throwOnError', async () => {
  assert.deepEqual((await db.from('countries').select('id').eq('id', 1).throwOnError()).data, [{ id: 1 }])
  await assert.rejects(async () => await db.from('nowhere').select().throwOnError(), { name: 'PostgrestError', code: 'PGRST205' })
})

test('schema', async () => {
  const other = db.schema('myschema')
  assert.deepEqual(await data(other.from('mytable').select('data').eq('id', 1)), [{ data: 'in the other schema' }])
  assert.deepEqual(await data(other.from('mytable').insert({ id: 2, data: 'new' }).select()), [{ id: 2, data: 'new' }])
  assert.deepEqual(await data(other.from('mytable').update({ data: 'newer' }).eq('id', 2).select('data')), [{ data: 'newer' }])
  assert.deepEqual(await data(other.from('mytable').delete().eq('id', 2).select('data')), [{ data: 'newer' }])
  assert.equal(await data(other.rpc('where_am_i')), 'myschema')
  assert.equal(await data(other.rpc('where_am_i', undefined, { get: true })), 'myschema')
  assert.deepEqual(await data(connect(undefined, { schema: 'myschema' }).from('mytable').select('id')), [{ id: 1 }])
})

test('schema: one that is not exposed', async () => {
  const error = await failure(406, 'PGRST106', db.schema('pg_catalog').from('pg_class').select())
  assert.equal(error.message, 'Invalid schema: pg_catalog')
})
