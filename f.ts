import { offload, task } from 'offload'
const N = Number(process.argv[4] ?? 20000)
let done = 0, resolve: any
const input = { '~standard': { version: 1, vendor: 't', validate: (value: any) => ({ value }) } } as any
const t = task('bench.job', { input, run: () => { if (++done === N) resolve() } })
const payload = { orderId: 'o-123456', to: 'ada@example.com', text: 'x'.repeat(110) }
const q = offload({ url: process.argv[2], ledger: process.argv[3], tasks: [t], logger: { debug() {}, info() {}, warn() {}, error(o: any, m: any) { console.log(o, m) } } as any, retention: { eventsCount: 1000, endedCount: 1000 } })
await q.ready()
async function add(n: number) { const all: Promise<any>[] = []; for (let i = 0; i < n; i++) { all.push(q.enqueue(t, payload)); if (all.length === 2000) { await Promise.all(all); all.length = 0 } } await Promise.all(all) }
// warm
{ const w = q.work({ concurrency: 100 }); const p = new Promise((r) => { resolve = r }); const was = N; done = N - 2000; await add(2000); await p; await w.stop() }
done = 0
let cu = process.cpuUsage(); const cpu = () => { const d = process.cpuUsage(cu); cu = process.cpuUsage(); return ((d.user + d.system) / N).toFixed(1) + ' us' }
let t0 = performance.now(); await add(N); console.log('b', Math.round(N / (performance.now() - t0) * 1000), cpu())
let p = new Promise((r) => { resolve = r })
t0 = performance.now(); let w = q.work({ concurrency: 100 }); await p; console.log('d100', Math.round(N / (performance.now() - t0) * 1000), cpu()); await w.stop()
done = 0; p = new Promise((r) => { resolve = r })
t0 = performance.now(); w = q.work({ concurrency: 100 }); await add(N); await p; console.log('f', Math.round(N / (performance.now() - t0) * 1000), cpu()); await w.stop()
await q.close()
