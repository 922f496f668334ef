import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, column, connect, data, db, failure, otherToken } from './tarn.mjs'

const reset = () => data(db.rpc('reset'))
const stock = () => db.from('stock')
const inStock = () => data(stock().select('id, name, quantity').order('id'))

// Imported files share their hooks, so each test here begins by itself.
const writes = (name, body) => test(name, async (t) => { await reset(); await body(t) })

writes('insert: one row', async () => {
  const { data: nothing, status, statusText, count } = await answer(stock().insert({ id: 10, name: 'reed', quantity: 5 }))
  assert.deepEqual([nothing, status, statusText, count], [null, 201, 'Created', null])
  assert.deepEqual(await data(stock().select().eq('id', 10)), [{ id: 10, name: 'reed', quantity: 5, note: 'as new', spec: null }])
})

writes('insert: and select', async () => {
  const { data: rows, status } = await answer(stock().insert({ name: 'reed', spec: { cut: 'French', mm: [71, 72] } }).select())
  assert.equal(status, 201)
  assert.deepEqual(rows, [{ id: 4, name: 'reed', quantity: 1, note: 'as new', spec: { cut: 'French', mm: [71, 72] } }])
  assert.deepEqual(await data(stock().insert({ name: 'peg' }).select('key:id, name').single()), { key: 5, name: 'peg' })
})

writes('insert: related rows can be selected', async () => {
  assert.deepEqual(
    await data(db.from('loans').insert({ member_id: 2, stock_id: 2 }).select('days, members(handle), stock(name)')),
    [{ days: 7, members: { handle: 'tomasz' }, stock: { name: 'rosin' } }]
  )
})

writes('insert: several rows', async () => {
  const { count, data: rows } = await answer(
    stock().insert([{ name: 'reed', quantity: 2 }, { name: 'peg', note: 'used' }], { count: 'exact' }).select('name, quantity, note')
  )
  assert.equal(count, 2)
  assert.deepEqual(rows, [
    { name: 'reed', quantity: 2, note: null },
    { name: 'peg', quantity: null, note: 'used' },
  ])
})

writes('insert: several rows with defaults', async () => {
  assert.deepEqual(
    await data(
      stock().insert([{ name: 'reed', quantity: 2 }, { name: 'peg', note: 'used' }], { defaultToNull: false }).select('id, name, quantity, note')
    ),
    [
      { id: 4, name: 'reed', quantity: 2, note: 'as new' },
      { id: 5, name: 'peg', quantity: 1, note: 'used' },
    ]
  )
})

writes('insert: columns with spaces in their names', async () => {
  const rows = [{ member_id: 1, stock_id: 2, 'due on': '2031-05-04' }, { member_id: 2, stock_id: 2, 'due on': '2031-06-01' }]
  assert.deepEqual(await data(db.from('loans').insert(rows).select('member_id, "due on"').gt('due on', '2031-05-20')), [
    { member_id: 1, 'due on': '2031-05-04' },
    { member_id: 2, 'due on': '2031-06-01' },
  ])
  assert.deepEqual(await column('member_id', db.from('loans').select('member_id').gt('due on', '2031-05-20')), [2])
  assert.deepEqual(await column('due on', db.from('loans').select('"due on"').not('due on', 'is', null).order('due on', { ascending: false })), ['2031-06-01', '2031-05-04'])
})

writes('insert: integers that JavaScript has no number for', async () => {
  await data(stock().insert({ id: 9007199254740993n, name: 'atom' }))
  assert.deepEqual(await data(stock().select('id::text').eq('id', 9007199254740993n)), [{ id: '9007199254740993' }])
})

writes('insert: all or none', async () => {
  await failure(409, '23505', stock().insert([{ id: 20, name: 'reed' }, { id: 20, name: 'peg' }]))
  assert.equal((await inStock()).length, 3)
})

writes('insert: no rows', async () => {
  assert.deepEqual(await data(stock().insert([]).select()), [])
})

writes('insert: unusual text', async () => {
  const name = 'a "quoted" \\ back\nslash, (and) 👋 \u2028'
  assert.deepEqual(await data(stock().insert({ name }).select('name').single()), { name })
  assert.deepEqual(await column('id', stock().select('id').eq('name', name)), [4])
})

writes('update', async () => {
  const { data: nothing, status } = await answer(stock().update({ name: 'baton' }).eq('id', 1))
  assert.deepEqual([nothing, status], [null, 204])
  assert.deepEqual((await inStock())[0], { id: 1, name: 'baton', quantity: 4 })
})

writes('update: and select', async () => {
  const { data: rows, status, count } = await answer(stock().update({ note: 'sold', quantity: 0 }, { count: 'exact' }).gt('quantity', 0).select('id, note').order('id'))
  assert.deepEqual([status, count], [200, 2])
  assert.deepEqual(rows, [{ id: 1, note: 'sold' }, { id: 2, note: 'sold' }])
})

writes('update: nothing', async () => {
  assert.deepEqual(await data(stock().update({ note: 'sold' }).eq('id', 99).select()), [])
  await failure(406, 'PGRST116', stock().update({ note: 'sold' }).eq('id', 99).select().single())
  assert.equal(await data(stock().update({ note: 'sold' }).eq('id', 99).select().maybeSingle()), null)
  assert.deepEqual(await data(stock().update({}).eq('id', 1).select()), [])
})

writes('update: JSON', async () => {
  assert.deepEqual(
    await data(stock().update({ spec: { wood: 'carbon', grams: 60 } }).eq('spec->>wood', 'pernambuco').select('spec')),
    [{ spec: { wood: 'carbon', grams: 60 } }]
  )
})

writes('update: a single row that is more rolls back', async () => {
  await failure(406, 'PGRST116', stock().update({ note: 'oops' }).gt('id', 0).select().single())
  assert.deepEqual(await column('note', stock().select('note').order('id')), ['as new', 'as new', 'as new'])
})

writes('upsert: by primary key', async () => {
  const changed = await answer(stock().upsert({ id: 1, name: 'baton' }).select('id, name, quantity'))
  assert.deepEqual(changed.data, [{ id: 1, name: 'baton', quantity: 4 }])
  assert.equal(changed.status, 200)
  const made = await answer(stock().upsert({ id: 7, name: 'reed' }).select('id, name'))
  assert.deepEqual(made.data, [{ id: 7, name: 'reed' }])
  assert.equal(made.status, 201)
})

writes('upsert: several rows', async () => {
  const { data: rows, count } = await answer(
    stock().upsert([{ id: 1, name: 'baton' }, { id: 8, name: 'harp' }], { count: 'exact' }).select('id, name').order('id')
  )
  assert.equal(count, 2)
  assert.deepEqual(rows, [{ id: 1, name: 'baton' }, { id: 8, name: 'harp' }])
})

writes('upsert: on another constraint', async () => {
  const error = await failure(409, '23505', db.from('members').upsert({ id: 42, handle: 'ines', display_name: 'I.' }).select())
  assert.equal(error.details, 'Key (handle)=(ines) already exists.')
  assert.deepEqual(
    await data(db.from('members').upsert({ handle: 'tomasz', display_name: 'Tomek' }, { onConflict: 'handle' }).select()),
    [{ id: 2, handle: 'tomasz', display_name: 'Tomek' }]
  )
})

writes('upsert: on several columns', async () => {
  for (const [onConflict, days] of [['member_id,stock_id', 21], ['member_id, stock_id', 28], [undefined, 35]]) {
    assert.deepEqual(
      await data(db.from('loans').upsert([{ member_id: 1, stock_id: 1, days }], { onConflict }).select('days')),
      [{ days }]
    )
  }
  await failure(400, '42P10', db.from('loans').upsert({ member_id: 1, stock_id: 1 }, { onConflict: 'days' }))
})

writes('upsert: ignore duplicates', async () => {
  assert.deepEqual(
    await data(
      db
        .from('members')
        .upsert([{ handle: 'ines', display_name: 'X' }, { handle: 'aiko', display_name: 'Aiko' }], { onConflict: 'handle', ignoreDuplicates: true })
        .select('handle, display_name')
    ),
    [{ handle: 'aiko', display_name: 'Aiko' }]
  )
  assert.deepEqual(await column('display_name', db.from('members').select('display_name').eq('handle', 'ines')), ['Ines'])
})

writes('upsert: with defaults', async () => {
  assert.deepEqual(
    await data(stock().upsert([{ id: 9, name: 'reed' }, { id: 1, name: 'bow', quantity: 3 }], { defaultToNull: false }).select('id, quantity').order('id')),
    [{ id: 1, quantity: 3 }, { id: 9, quantity: 1 }]
  )
})

writes('delete', async () => {
  const { data: nothing, status } = await answer(stock().delete().eq('id', 2))
  assert.deepEqual([nothing, status], [null, 204])
  assert.deepEqual((await inStock()).map((row) => row.id), [1, 3])
})

writes('delete: and select', async () => {
  assert.deepEqual(await data(stock().delete().eq('id', 3).select()), [
    { id: 3, name: 'mute', quantity: 0, note: 'as new', spec: null },
  ])
})

writes('delete: several rows', async () => {
  const { count, status } = await answer(stock().delete({ count: 'exact' }).in('id', [2, 3, 4]))
  assert.deepEqual([count, status], [2, 204])
})

writes('rollback', async () => {
  assert.deepEqual(await data(stock().insert({ name: 'ghost' }).select('name').rollback()), [{ name: 'ghost' }])
  assert.deepEqual(await data(stock().delete().gt('id', 1).select('id').order('id').rollback()), [{ id: 2 }, { id: 3 }])
  assert.deepEqual((await inStock()).map((row) => row.name), ['bow', 'rosin', 'mute'])
})

writes('maxAffected', async () => {
  assert.deepEqual(await data(stock().update({ note: 'x' }).eq('id', 1).maxAffected(1).select('id')), [{ id: 1 }])
  const error = await failure(400, 'PGRST124', stock().update({ note: 'y' }).gt('id', 0).maxAffected(2).select())
  assert.equal(error.details, 'The query affects 3 rows')
  await failure(400, 'PGRST124', stock().delete().gt('id', 1).maxAffected(1))
  assert.equal((await inStock()).length, 3)
  await failure(400, 'PGRST124', db.rpc('lend_all', { member: 2 }).maxAffected(2))
  assert.equal((await data(db.rpc('lend_all', { member: 2 }).maxAffected(3))).length, 3)
})

writes('row-level security: everybody has rows of their own', async () => {
  const mine = db.from('notes'), theirs = connect(otherToken).from('notes')
  await data(mine.insert([{ body: 'mine' }, { body: 'mine, too' }]))
  await data(theirs.insert({ body: 'theirs' }))
  assert.deepEqual(await column('body', mine.select('body').order('id')), ['mine', 'mine, too'])
  assert.deepEqual(await column('body', theirs.select('body')), ['theirs'])
  assert.deepEqual(await data(theirs.delete().gt('id', 0).select('body')), [{ body: 'theirs' }])
  assert.equal((await answer(mine.select('*', { count: 'exact', head: true }))).count, 2)
  await failure(403, '42501', mine.insert({ owner: 'postgres', body: 'forged' }))
})
