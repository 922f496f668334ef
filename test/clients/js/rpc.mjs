import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, column, data, db, failure } from './tarn.mjs'

test('rpc: without arguments', async () => {
  assert.equal(await data(db.rpc('hello_world')), 'Hello world')
})

test('rpc: with arguments', async () => {
  assert.equal(await data(db.rpc('echo', { say: '👋 "hi"' })), '👋 "hi"')
  assert.equal(await data(db.rpc('add_up', { a: 1, b: 2 })), 3)
  assert.equal(await data(db.rpc('add_up', { a: 1 })), 11)
})

test('rpc: arrays and objects', async () => {
  assert.deepEqual(await data(db.rpc('add_one_each', { arr: [1, 2, 3] })), [2, 3, 4])
  assert.equal(await data(db.rpc('longest', { words: ['a', 'long, one', 'bb'] })), 'long, one')
  assert.deepEqual(await data(db.rpc('greeting', { person: { name: 'Aiko' } })), { hello: 'Aiko' })
})

test('rpc: get', async () => {
  assert.equal(await data(db.rpc('hello_world', undefined, { get: true })), 'Hello world')
  assert.equal(await data(db.rpc('echo', { say: 'a&b=c, d' }, { get: true })), 'a&b=c, d')
  assert.deepEqual(await data(db.rpc('add_one_each', { arr: [1, 2, 3] }, { get: true })), [2, 3, 4])
})

test('rpc: get of what writes', async () => {
  await failure(405, '25006', db.rpc('lend_all', { member: 1 }, { get: true }))
})

test('rpc: head', async () => {
  const { count, data: nothing, status } = await answer(db.rpc('list_countries', {}, { head: true, count: 'exact' }))
  assert.deepEqual([count, nothing, status], [4, null, 200])
  // Objects don't go into a URL, so the client makes this a POST.
  assert.deepEqual(await data(db.rpc('greeting', { person: { name: 'Aiko' } }, { head: true })), { hello: 'Aiko' })
})

test('rpc: void', async () => {
  const { data: nothing, status } = await answer(db.rpc('nothing'))
  assert.deepEqual([nothing, status], [null, 204])
})

test('rpc: rows with filters and modifiers', async () => {
  assert.deepEqual(await data(db.rpc('list_countries').select('name').eq('id', 1).single()), { name: 'Norway' })
  assert.deepEqual(
    await column('id', db.rpc('list_countries').not('name', 'is', null).order('name', { ascending: false }).limit(2)),
    [3, 1]
  )
  assert.deepEqual(await column('id', db.rpc('list_countries', {}, { get: true }).select('id').in('id', [2, 3]).order('id')), [2, 3])
  const { count, data: rows } = await answer(db.rpc('list_countries', {}, { count: 'exact' }).select('id').order('id').range(1, 2))
  assert.deepEqual([count, rows], [4, [{ id: 2 }, { id: 3 }]])
})

test('rpc: rows with related ones', async () => {
  assert.deepEqual(await data(db.rpc('list_countries').select('name, cities(name)').eq('id', 2)), [
    { name: 'Nepal', cities: [{ name: 'Kathmandu' }] },
  ])
})

test('rpc: a row', async () => {
  assert.deepEqual(await data(db.rpc('country', { wanted: 2 }).select('id, iso')), { id: 2, iso: 'NP' })
})

test('rpc: csv', async () => {
  assert.equal(await data(db.rpc('list_countries').select('id,iso').lt('id', 3).order('id').csv()), 'id,iso\n1,NO\n2,NP')
})
