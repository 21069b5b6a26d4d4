const perSecond = (value) => `${Math.round(value)}/s`
const count = (number) => number.toLocaleString('en-GB')
const answers = ({ clients: { tally } }) => tally.first + tally.second
/** A client that still waits long after the end has got no answer either. */
const errors = ({ clients: { tally } }) => tally.error + tally.underWay
const cut = ({ clients: { tally } }) => tally.cutMidAnswer
const requests = (number) => `${count(number)} ${number === 1 ? 'request' : 'requests'}`

const errorsInWords = (result) => {
  const seen = errors(result)
  if (seen === 0) return 'no errors'
  return `${count(seen)} ${seen === 1 ? 'error' : 'errors'}`
}

function saw(result) {
  const begun = cut(result)
  if (begun === 0) return errorsInWords(result)
  return `${errorsInWords(result)}, apart from ${count(begun)} ${begun === 1 ? 'answer' : 'answers'} cut in the middle`
}

/** One of two providers is killed halfway. The plain proxy knows that one alone. */
export const outage = {
  title: 'Answers and errors that clients get, while one of two providers is killed halfway',
  providers: 'two providers',
  hasShortAnswers: true, // nobody counts their bytes
  charts: [
    {
      title: 'Requests per second, as clients see them',
      series: [{ label: 'Answered' }, { label: 'Errors', tone: 'bad', isDashed: true }],
      format: perSecond,
      atLeast: 10,
      points: ({ at, perSecond }) =>
        perSecond ? [[at / 1000, perSecond.first + perSecond.second, perSecond.error]] : [],
    },
    {
      title: 'Which provider serves them, per second',
      series: [
        { label: 'First', tone: 'other' },
        { label: 'Second', tone: 'accent' },
      ],
      format: perSecond,
      atLeast: 10,
      points: ({ at, perSecond }) => (perSecond ? [[at / 1000, perSecond.first, perSecond.second]] : []),
    },
  ],
  marks: (seconds) => [{ at: seconds / 2, text: 'first is killed' }],
  headline: (result) => {
    const begun = cut(result)
    return `${errorsInWords(result)} seen by clients${begun > 0 ? `, ${count(begun)} cut mid-answer` : ''}`
  },
  isGood: (result) => errors(result) === 0,
  figures: [
    ['Answered', (result) => requests(answers(result))],
    ['… by the first provider', ({ clients }) => requests(clients.tally.first)],
    ['… by the second provider', ({ clients }) => requests(clients.tally.second)],
    ['Errors seen by clients', (result) => requests(errors(result))],
    ['Cut mid-answer', (result) => requests(cut(result))],
  ],
  summary(ours, plain) {
    const side = (name, result) => `${name} answered ${requests(answers(result))}, and its clients saw ${saw(result)}`
    const [a, b] = [cut(ours), cut(plain)]
    const why =
      a + b > 0
        ? ' If a client has the first words of an answer when the provider is killed, no proxy can save that answer.'
        : ''
    return `${side('express-ai-proxy', ours)}; ${side('http-proxy-middleware', plain)}.${why}`
  },
}
