import { showRecord } from './record.mjs'

/** Adds a prompt to the page; what comes back fills in the rest. */
export function addExchange(text, provider) {
  const article = document.getElementById('exchange').content.cloneNode(true).firstElementChild
  const answer = article.querySelector('.answer')
  const problem = article.querySelector('.problem')
  article.querySelector('.prompt').textContent = text
  article.querySelector('.asked').textContent = `${provider.title} · ${provider.model}`
  article.classList.add('running')
  document.getElementById('exchanges').append(article)
  article.scrollIntoView({ block: 'start' })

  return {
    append(piece) {
      keepingTheEndInSight(() => answer.append(piece))
    },
    problem(message, stopped) {
      keepingTheEndInSight(() => {
        problem.textContent = message
        problem.classList.toggle('stopped', stopped)
        problem.hidden = false
        article.classList.remove('running')
      })
    },
    finish(record) {
      keepingTheEndInSight(() => {
        article.classList.remove('running')
        if (record) showRecord(article.querySelector('.record'), record)
      })
    },
  }
}

/** Scrolls along with what is added at the end, unless the reader has scrolled up. */
function keepingTheEndInSight(change) {
  const page = document.scrollingElement
  const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 80
  change()
  if (atEnd) page.scrollTop = page.scrollHeight
}
