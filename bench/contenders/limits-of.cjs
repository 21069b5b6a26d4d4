/** Limits that have room for everything: what they cost is measured. */
module.exports = ({ subject }) => [
  { key: `user:${subject.id}`, requests: 1e9, per: '1m' },
  { key: `user:${subject.id}`, tokens: 1e12, per: '1d' },
  { key: `user:${subject.id}`, concurrent: 1e6 },
]
