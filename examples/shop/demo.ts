import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { offload } from 'offload'
import { openBooks } from './books.ts'
import { Load } from './load.ts'
import { startWorker } from './processes.ts'
import { showProgress } from './progress.ts'
import { startMailProvider } from './providers/mail.ts'
import { startPaymentProvider } from './providers/payment.ts'
import type { Settings } from './settings.ts'
import { booksPath, reportPath } from './settings.ts'
import { blockingShop } from './shop-blocking.ts'
import { offloadShop } from './shop-offload.ts'
import type { Stage } from './stages.ts'
import { setStage, stagesOf } from './stages.ts'
import { messageIdOf, openSteps } from './steps.ts'
import { removeRun, storeOf } from './store.ts'
import { comparison } from './table.ts'
import { shopTasks } from './tasks.ts'
import type { Outcome, Promised } from './verify.ts'
import { isKept, outcomeOf, promisesOf, repeatedMails } from './verify.ts'

const DRAIN_MS = 18_000

const stages = stagesOf({ isShort: process.argv.includes('--short') })

const folder = mkdtempSync(join(tmpdir(), 'offload-shop-'))
const cleanup = new AsyncDisposableStack()
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }))
const interrupted = new Promise<'interrupted'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('interrupted'))
})

const payment = cleanup.use(await startPaymentProvider())
const mail = cleanup.use(await startMailProvider())
const settings: Settings = {
  folder,
  run: folder.slice(-6),
  paymentUrl: payment.url,
  mailPort: mail.port,
}
const store = storeOf(settings)

try {
  const end = await Promise.race([tellTheStory(), interrupted])
  if (end === 'interrupted') process.exitCode = 130
} finally {
  await cleanup.disposeAsync()
}
process.exit()

async function tellTheStory(): Promise<void> {
  console.log('The same shop twice, under the same load, with the same failures.\n')
  const before = await runBlocking()
  const { outcome: after, promises } = await runOffload()

  console.log(`\n${comparison(before, after)}\n`)
  console.log('What Offload promised, counted at the customers, the providers and the stock:')
  for (const promise of promises) {
    const verdict = isKept(promise) ? 'kept  ' : 'BROKEN'
    console.log(`  ${verdict}  ${promise.promise.padEnd(30)}${promise.kept} of ${promise.of}`)
  }
  console.log(
    `  (${repeatedMails(mail)} mails were handed over twice; the provider dropped the second by its Message-ID)`,
  )

  const broken = promises.filter((promise) => !isKept(promise))
  if (broken.length === 0) return console.log('\nEvery promise was kept.')
  console.log(`\nBroken: ${broken.map(({ promise }) => promise).join(', ')}.`)
  printWorkerLogs()
  process.exitCode = 1
}

/** First way: everything inside the request. */
async function runBlocking(): Promise<Outcome> {
  console.log('Everything inside the request')
  const books = openBooks(booksPath(settings, 'blocking'))
  const steps = openSteps(settings.paymentUrl, settings.mailPort, books)
  const app = blockingShop(steps)
  const load = new Load('blocking', await listen(app))
  for (const stage of stages) await runStage(stage, load, () => `answered ${load.accepted().length}`)
  await load.answered()
  await app.close()
  steps.close()
  books.close()
  return outcomeOf(load, payment)
}

/** Second way: answer now, work after. Two worker processes share the queue; one of them is killed. */
async function runOffload(): Promise<{ outcome: Outcome; promises: Promised[] }> {
  console.log('\nWith Offload')
  const books = openBooks(booksPath(settings, 'offload'))
  cleanup.defer(() => books.close())
  const steps = openSteps(settings.paymentUrl, settings.mailPort, books)
  cleanup.defer(() => steps.close())
  const tasks = shopTasks(steps, books.orders, reportPath(settings))
  cleanup.defer(async () => {
    const queues = new Set(tasks.all.map(({ queue }) => queue))
    const left = await removeRun(store, queues)
    if (left !== undefined) console.log(`The keys ${left} stay in Redis.`)
  })
  const queue = offload({ ...store, tasks: tasks.all })
  cleanup.defer(() => queue.close())
  await queue.ready()
  const workers = await Promise.all(
    ['worker-1', 'worker-2'].map((name) => startWorker(settings, name, cleanup)),
  )
  const app = offloadShop(queue, tasks)
  cleanup.defer(() => app.close())

  const address = await listen(app)
  const load = new Load('offload', address)
  const count = (): string => {
    const accepted = load.accepted()
    const paid = new Set(payment.charges)
    const isPaid = accepted.filter((id) => paid.has(id)).length
    const isMailed = accepted.filter((id) => mail.received.has(messageIdOf(id))).length
    return `accepted ${accepted.length}  paid ${isPaid}  mailed ${isMailed}  waiting ${accepted.length - isMailed}`
  }
  for (const stage of stages) {
    if (stage.killWorker) setTimeout(() => workers[0]?.kill('SIGKILL'), stage.seconds * 250)
    await runStage(stage, load, count)
  }
  await load.answered()
  await fetch(new URL('/reports', address), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'owner@shop.example' }),
  })

  const endProgress = showProgress(() => `  ${'the rest of the work'.padEnd(30)}  ${count()}`)
  const promised = (): Promised[] => promisesOf(load, payment, mail, books, reportPath(settings))
  const deadline = Date.now() + DRAIN_MS
  while (!promised().every(isKept) && Date.now() < deadline) await sleep(200)
  endProgress()
  return { outcome: outcomeOf(load, payment), promises: promised() }
}

async function runStage(stage: Stage, load: Load, figures: () => string): Promise<void> {
  await setStage(stage, mail, payment)
  const endProgress = showProgress(() => `  ${stage.name.padEnd(30)}  ${figures()}`)
  await load.run(stage.perSecond, stage.seconds).finally(endProgress)
}

async function listen(app: FastifyInstance): Promise<string> {
  return `${await app.listen({ port: 0, host: '127.0.0.1' })}/orders`
}

function printWorkerLogs(): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.log'))) {
    console.log(`\n${name}:\n${readFileSync(join(folder, name), 'utf8').slice(-2000)}`)
  }
}
