/** 165 bytes of JSON, or one or two less. */
export const payload = (at = performance.timeOrigin + performance.now()) => ({
  orderId: 'ord_0123456789abcdef',
  to: 'someone.with.a.name@example.com',
  lines: [{ sku: 'A-1', n: 2 }],
  note: 'by the red door',
  total: 4250,
  at,
})
