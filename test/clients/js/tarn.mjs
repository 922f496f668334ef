// What the tests share: clients of the server under test, and the two outcomes of a request.
import assert from 'node:assert/strict'
import { PostgrestClient } from '@supabase/postgrest-js'

const { TARN_URL, TARN_TOKEN, TARN_OTHER_TOKEN, TARN_EXPIRED_TOKEN, TARN_ANONYMOUS } = process.env

export const otherToken = TARN_OTHER_TOKEN
export const expiredToken = TARN_EXPIRED_TOKEN
export const allowsAnonymous = TARN_ANONYMOUS === 'yes'

/** A client with a token, or without one if that is ''. */
export function connect(token = TARN_TOKEN, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {}
  return new PostgrestClient(TARN_URL, { headers, ...options })
}

export const db = connect()

/** The response of a query that must succeed. */
export async function answer(query) {
  const response = await query
  assert.equal(response.error, null)
  return response
}

/** The data of a query that must succeed. */
export async function data(query) {
  return (await answer(query)).data
}

/** The values of a column, in the order of the rows. */
export async function column(name, query) {
  return (await data(query)).map((row) => row[name])
}

/** The error of a query that must fail with a status and a code. */
export async function failure(status, code, query) {
  const { status: gotStatus, error, data } = await query
  assert.ok(error, `wanted ${code}, got ${JSON.stringify(data)}`)
  assert.deepEqual([gotStatus, error.code], [status, code], error.message)
  assert.equal(data, null)
  return error
}
