// The Databricks SDK for JavaScript, and the Lakebase driver, against Tarn.
import assert from 'node:assert/strict'
import {test} from 'node:test'
import sdk from '@databricks/sdk-experimental'
import {createLakebasePool, generateDatabaseCredential} from '@databricks/lakebase'

const {WorkspaceClient} = sdk
const host = process.env.TARN_URL
const client = (token = process.env.TARN_TOKEN) => new WorkspaceClient({host, token, authType: 'pat'})
const all = async (pages) => {
  const out = []
  for await (const one of pages) out.push(one)
  return out
}

test('personal access token', async () => {
  const me = await client().currentUser.me()
  assert.ok(me.active)
  assert.ok(me.groups.some((g) => g.display === 'admins'))
})

test('machine to machine', async () => {
  const w = new WorkspaceClient({
    host, clientId: process.env.TARN_CLIENT_ID, clientSecret: process.env.TARN_CLIENT_SECRET, authType: 'oauth-m2m',
  })
  assert.equal((await w.currentUser.me()).userName, process.env.TARN_CLIENT_ID)
})

test('wrong token', async () => {
  await assert.rejects(client('dapi' + '0'.repeat(32)).currentUser.me(), (err) => err.statusCode === 401 || /token/i.test(err.message))
})

test('tokens', async () => {
  const w = client()
  const made = await w.tokens.create({comment: 'js', lifetime_seconds: 600})
  assert.ok((await client(made.token_value).currentUser.me()).userName)
  const id = made.token_info.token_id
  assert.ok((await all(w.tokens.list())).some((t) => t.token_id === id && t.comment === 'js'))
  await w.tokens.delete({token_id: id})
  await assert.rejects(client(made.token_value).currentUser.me())
})

test('users and groups', async () => {
  const w = client()
  const user = await w.usersV2.create({userName: 'js@example.com', displayName: 'Js', active: true})
  const group = await w.groupsV2.create({displayName: 'js-group', members: [{value: user.id}]})
  assert.deepEqual((await w.groupsV2.get({id: group.id})).members.map((m) => m.value), [user.id])
  for await (const found of w.usersV2.list({filter: 'userName eq "js@example.com"'})) {
    assert.equal(found.id, user.id)
    break // this client asks for the first page again and again, wherever it is
  }
  await w.groupsV2.delete({id: group.id})
  await w.usersV2.delete({id: user.id})
  await assert.rejects(w.usersV2.get({id: user.id}), (err) => err.statusCode === 404)
})

test('Lakebase driver, with a password', async () => {
  const at = new URL(process.env.TARN_POSTGRES_URL)
  const pool = createLakebasePool({
    host: at.hostname, port: Number(at.port), database: at.pathname.slice(1), user: at.username, password: at.password,
    sslMode: 'disable',
  })
  const {rows} = await pool.query('SELECT name FROM clients WHERE id = $1', [1])
  assert.deepEqual(rows, [{name: 'Acme Corp'}])
  await pool.end()
})

test('Lakebase driver, with a credential of the platform', async () => {
  const w = client()
  const headers = new Headers({Accept: 'application/json', 'Content-Type': 'application/json'})
  await w.apiClient.request({path: '/api/2.0/database/instances', method: 'POST', headers, raw: false, payload: {name: 'js'}})
  const at = new URL(process.env.TARN_POSTGRES_URL)
  const workspaceClient = new WorkspaceClient({
    host, clientId: process.env.TARN_CLIENT_ID, clientSecret: process.env.TARN_CLIENT_SECRET, authType: 'oauth-m2m',
  })
  const options = {
    workspaceClient, endpoint: 'projects/js/branches/production/endpoints/primary',
    host: at.hostname, port: Number(at.port), database: at.pathname.slice(1), user: process.env.TARN_CLIENT_ID, sslMode: 'disable',
  }
  const query = async (pool) => (await pool.query('SELECT current_user AS me, 1 + $1::int AS two', [1])).rows
  const want = [{me: process.env.TARN_CLIENT_ID, two: 2}]
  const {token: password, expire_time: until} = await generateDatabaseCredential(workspaceClient, {endpoint: options.endpoint})
  assert.ok(new Date(until) - Date.now() > 59 * 60 * 1000)
  const given = createLakebasePool({...options, password})
  assert.deepEqual(await query(given), want)
  await given.end()

  // The pool's own way: PostgreSQL looks the password up before it asks for it, and so knows the one before.
  const pool = createLakebasePool(options)
  pool.on('error', () => {})
  await assert.rejects(query(pool), (err) => err.code === '28P01')
  assert.deepEqual(await query(pool), want)
  await pool.end()
})
