// `npm run bench -- [which] [what of it …]`: `which` is a folder beside this file, sqlite unless told otherwise.
const which = ['http', 'growth', 'sse', 'schedules', 'redis', 'redis-growth', 'rabbitmq', 'dashboard'].find(
  (one) => one === process.argv[2],
)
await import(`./${which ?? 'sqlite'}/main.ts`)
process.exit()
