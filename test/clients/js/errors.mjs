import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allowsAnonymous, answer, connect, data, db, expiredToken, failure, otherToken } from './tarn.mjs'

test('error: relations that are not there', async () => {
  const error = await failure(404, 'PGRST205', db.from('countrys').select())
  assert.equal(error.message, "Could not find the table 'public.countrys' in the schema cache")
  assert.equal(error.hint, "Perhaps you meant the table 'public.countries'")
  assert.equal(error.details, null)
})

test('error: columns that are not there', async () => {
  const error = await failure(400, '42703', db.from('countries').select('id, nme'))
  assert.equal(error.message, 'column countries.nme does not exist')
  await failure(400, '42703', db.from('countries').select().eq('nme', 1))
  await failure(400, 'PGRST204', db.from('stock').insert({ nme: 'x' }))
})

test('error: relations that are not related, or in several ways', async () => {
  const none = await failure(400, 'PGRST200', db.from('countries').select('*, instruments(*)'))
  assert.match(none.details, /no matches were found/)
  const several = await failure(300, 'PGRST201', db.from('messages').select('*, users(*)'))
  assert.equal(several.details.length, 2)
  assert.match(several.hint, /users!messages_sender_id_fkey/)
})

test('error: functions that are not there', async () => {
  const error = await failure(404, 'PGRST202', db.rpc('hello_wrld'))
  assert.match(error.message, /^Could not find the function public.hello_wrld without parameters/)
  assert.equal(error.hint, 'Perhaps you meant to call the function public.hello_world')
  await failure(404, 'PGRST202', db.rpc('echo', { sai: 'x' }))
})

test('error: syntax', async () => {
  const error = await failure(400, 'PGRST100', db.from('countries').select('id,name('))
  assert.match(error.message, /failed to parse select parameter/)
  await failure(400, 'PGRST100', db.from('countries').select().filter('id', 'equals', 1))
  await failure(400, 'PGRST100', db.from('countries').select().or('id.eq'))
  await failure(400, '22P02', db.from('countries').select().eq('id', 'one'))
})

test('error: constraints', async () => {
  const unique = await failure(409, '23505', db.from('members').insert({ handle: 'ines' }))
  assert.equal(unique.message, 'duplicate key value violates unique constraint "members_handle_key"')
  assert.equal(unique.details, 'Key (handle)=(ines) already exists.')
  await failure(409, '23503', db.from('loans').insert({ member_id: 1, stock_id: 999 }))
  await failure(400, '23502', db.from('members').insert({ display_name: 'No one' }))
  await failure(400, '23514', db.from('stock').insert({ name: 'debt', quantity: -1 }))
})

test('error: what functions raise', async () => {
  const error = await failure(418, 'PT418', db.rpc('refuse', { reason: 'no coffee' }))
  assert.deepEqual([error.message, error.details, error.hint], ['no coffee', 'It is a teapot', 'Try the kettle'])
})

test('error: rights', async () => {
  const error = await failure(403, '42501', db.from('vault').select())
  assert.equal(error.message, 'permission denied for table vault')
  await failure(403, '42501', db.from('ledger').update({ amount: 0 }).eq('id', 1))
  assert.deepEqual(await data(db.from('ledger').select()), [{ id: 1, amount: 100 }])
})

test('error: of a head request', async () => {
  // There is no body to read it from.
  const { error, data: nothing, status } = await db.from('vault').select('*', { head: true })
  assert.deepEqual([error, nothing, status], [{ message: '' }, null, 403])
})

test('token: the role and its claims', async () => {
  const me = await data(db.rpc('who_am_i'))
  const other = await data(connect(otherToken).rpc('who_am_i'))
  assert.ok(me.role && other.role && me.role !== other.role)
  assert.equal(me.claims.sub, 'ann@example.com')
  assert.equal(other.claims.sub, 'bob@example.com')
})

test('token: that is none', async () => {
  await failure(401, 'PGRST301', connect('nonsense').from('countries').select())
})

test('token: expired', { skip: !expiredToken && 'there is none' }, async () => {
  const error = await failure(401, 'PGRST303', connect(expiredToken).from('countries').select())
  assert.equal(error.message, 'JWT expired')
})

test('token: none', { skip: !allowsAnonymous && 'there is no anonymous role' }, async () => {
  const anonymous = connect('')
  assert.deepEqual(await data(anonymous.from('countries').select('id').eq('id', 1)), [{ id: 1 }])
  await failure(401, '42501', anonymous.from('vault').select())
  assert.equal((await answer(anonymous.from('notes').select())).data.length, 0)
})

test('token: needed', { skip: allowsAnonymous && 'there is an anonymous role' }, async () => {
  const { error, status } = await connect('').from('countries').select()
  assert.equal(status, 401)
  assert.ok(error.message)
})
