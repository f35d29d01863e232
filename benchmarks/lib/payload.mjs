/** About 165 bytes of JSON. */
export const payload = (at = performance.timeOrigin + performance.now()) => ({
  orderId: 'ord_0123456789abcdef',
  to: 'someone.with.a.name@example.com',
  lines: [{ sku: 'A-1', n: 2 }],
  note: 'please leave it at the door',
  total: 4250,
  at,
})
