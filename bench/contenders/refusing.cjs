/**
 * The targets of the contenders in which one refuses connections: nothing listens at its port, and it would be asked
 * first.
 *
 * @param {string} target the benchmark's provider
 */
module.exports = (target) => [
  { name: 'refuses', target: 'http://127.0.0.1:1' },
  { name: 'answers', target, priority: 1 },
]
