/**
 * Texts as models write them, and how many characters each of their tokens has, counted with OpenAI's `o200k_base`
 * (https://github.com/openai/tiktoken): a digit in base 36 each, and 0 for a token that ends within a character.
 */
export interface TokenisedText {
  readonly name: string
  readonly kind: 'text' | 'arguments' | 'reasoning'
  readonly text: string
  readonly tokens: string
}

export const texts: readonly TokenisedText[] = [
  {
    name: 'English prose',
    kind: 'text',
    text: `The harbour was quiet when Martha came down the hill that morning, and only two of the boats had gone out. She counted the masts, as she had done every day since her brother left, and then sat on the wall with her coffee to wait for the ferry. Nobody spoke about the storm any more. The fishermen mended their nets, the baker's boy carried his basket from door to door, and a dog that belonged to no one slept in the sun beside the old crane.

"You'll catch cold," said the harbour master, who had walked up behind her without a sound. He was a large man with a soft voice, and he didn't like to see people worry. "The ferry is late again. They've had trouble with the engine since Tuesday."

Martha shrugged. In her pocket she had the letter, folded so often that the paper was beginning to tear, and she knew every sentence of it by heart. It said that he was well, that the work was hard but honest, and that he hoped to be home before the first snow. It did not say why he had gone.`,
    tokens:
      '3846575545581454346454148424134456464851454345547354461766464514a25651462484755351424593346344744634' +
      '3652548714473748261342645256143753476123635618485476841591347444717365464a35144569333613553451545454' +
      '71453633574651344443451',
  },
  {
    name: 'English answer with Markdown',
    kind: 'text',
    text: `## How to choose a database

There are **three questions** to ask before you pick one:

1. **How will you read the data?** If most queries look up a single record by its key, almost anything works. If you need joins and aggregates, choose a relational database such as PostgreSQL or MySQL.
2. **How much will it grow?** Up to about 500 GB, a single server with good indexes is usually enough. Beyond that, think about partitioning.
3. **What happens when it fails?** Backups you have never restored are not backups.

| Need | Good choice | Why |
| --- | --- | --- |
| Transactions | PostgreSQL | Mature, strict, well documented |
| Caching | Redis | Keeps everything in memory |
| Full-text search | OpenSearch | Ranking and highlighting built in |

> **Tip:** start with the boring option. You can always move later, and most teams never have to.

In short, use PostgreSQL unless you can say precisely why it won't work for you.`,
    tokens:
      '24372925435a2347454311335454512358532773441796134564b172b95383333211335535123361331277558387175166a3' +
      '2113485361253456944831525724314242431d283271715b31262626b3731557256284d63413336547714475614566533261' +
      '4837444a4365441',
  },
  {
    name: 'German prose',
    kind: 'text',
    text: `Als der Zug endlich in den kleinen Bahnhof einfuhr, war es bereits dunkel geworden. Die meisten Reisenden stiegen schweigend aus, zogen ihre Mäntel enger und verschwanden in den schmalen Gassen, die vom Platz zum Fluss hinunterführten. Nur ein älterer Herr blieb unter der großen Uhr stehen, stellte seinen Koffer ab und blickte sich um, als müsste er sich erst erinnern, wohin er eigentlich wollte.

Er war vor über dreißig Jahren zum letzten Mal hier gewesen. Damals hatte es noch eine Straßenbahn gegeben, und am Ende der Hauptstraße stand ein Kino, in dem er mit seiner Schwester jeden Samstag die Nachmittagsvorstellung besucht hatte. Heute befand sich dort eine Versicherungsgesellschaft, deren Leuchtschrift sich in den Pfützen spiegelte. Trotzdem roch die Luft noch immer nach Holzfeuer und nassem Laub, und plötzlich wusste er genau, welche Richtung er einschlagen musste.`,
    tokens:
      '344834884221438791485535654124532264853443225144643345714433256647471872534625314735591423b732445512' +
      '74845814363558481435466645134347a68454338861643555d491633445342213821932455655234253214a73617937571',
  },
  {
    name: 'Chinese',
    kind: 'text',
    text: `人工智能正在改变我们学习和工作的方式。过去，学生遇到不懂的问题，只能去图书馆查资料，或者等到第二天再问老师；现在，他们可以随时向语言模型提问，几秒钟之内就能得到详细的解释。不过，专家提醒说，模型的回答并不总是正确的，使用者必须学会判断信息的可靠性。

对于企业来说，这项技术同样带来了新的机会。客服中心可以用它来回答常见问题，工程师可以用它来编写和检查代码，医生也可以用它来整理病历。与此同时，怎样保护用户的隐私、怎样避免偏见、怎样确定责任，仍然是社会各界需要认真讨论的问题。只有在技术与制度共同进步的情况下，人们才能真正从中受益。`,
    tokens:
      '2222221321212111132111111212112111212321112211111111112212312211212111121121211221213222212111222122' +
      '2111211212121111112212121112111412221111221112221111211222312121221113212211111',
  },
  {
    name: 'Japanese',
    kind: 'text',
    text: `昨日の夜、久しぶりに大学時代の友人と会いました。駅の近くにある小さな居酒屋で、仕事のことや家族のことをゆっくり話しました。彼女は三年前に東京の会社を辞めて、今は故郷の町で小さなパン屋を開いています。朝は四時に起きて、生地をこねることから一日が始まるそうです。

「大変だけど、毎日がとても楽しい」と彼女は笑って言いました。町の人たちは少しずつ店に来てくれるようになり、週末には観光客も並ぶことがあるそうです。私はその話を聞きながら、自分も何か新しいことを始めてみたいと思いました。帰り道、冷たい風が吹いていましたが、心は不思議と温かくなっていました。`,
    tokens:
      '2111111112111111141111112111111112121111211111141111121212111111110021111121112311111111121111122111' +
      '1112231112111111212211112141111121111111112221111211111121222122111121211111221111122411111121112411' +
      '1111111111241',
  },
  {
    name: 'Korean',
    kind: 'text',
    text: `지난 주말에는 오랜만에 가족과 함께 바다로 여행을 다녀왔습니다. 아침 일찍 출발했지만 고속도로가 막혀서 점심때가 되어서야 도착했습니다. 아이들은 모래사장에서 조개껍데기를 줍고, 저는 파도 소리를 들으며 책을 읽었습니다. 저녁에는 시장에서 산 생선을 구워 먹었는데, 정말 신선하고 맛있었습니다. 돌아오는 길에 모두가 내년 여름에 꼭 다시 오자고 약속했습니다.`,
    tokens:
      '2212211131321131211312121211221212112111221214132211321002210213212222212412123222221212132122141322' +
      '13121211232112141',
  },
  {
    name: 'Russian',
    kind: 'text',
    text: `Вчера вечером мы долго сидели на веранде и разговаривали о том, как изменился наш город за последние годы. Там, где раньше был старый рынок, построили торговый центр, а на месте детского сада теперь стоит высокий жилой дом. Бабушка вспоминала, как они с дедушкой каждое воскресенье ходили пешком до реки и покупали у рыбаков свежую рыбу. Мне кажется, что самое важное всё-таки осталось: люди здесь по-прежнему здороваются друг с другом на улице.`,
    tokens:
      '148364332422725241464463a514147452617372612364557684241224443144242352844343332263244523214814643459' +
      '15633243234527361',
  },
  {
    name: 'French',
    kind: 'text',
    text: `Le petit marché de la place ouvre chaque jeudi à sept heures, et les premiers clients arrivent bien avant que le soleil ne se lève. On y trouve des légumes de saison, des fromages de chèvre, du miel et, au printemps, des bouquets de pivoines que la fleuriste prépare elle-même. Les habitués se connaissent depuis longtemps : ils échangent des nouvelles, se plaignent de la météo et goûtent les premières cerises. Quand les cloches de l'église sonnent midi, les marchands commencent à ranger leurs étals et la place retrouve peu à peu son silence.`,
    tokens:
      '267336676257134989564373323132748371454343135313a149345436485514723c7a24464a133433363534a44164332322' +
      '54451464b276333369424481',
  },
  {
    name: 'TypeScript',
    kind: 'text',
    text: `Here is a small rate limiter:

\`\`\`ts
export interface RateLimiterOptions {
  /** How many calls are allowed per window. */
  readonly limit: number
  readonly windowMs: number
}

export class RateLimiter {
  readonly #options: RateLimiterOptions
  readonly #calls = new Map<string, number[]>()

  constructor(options: RateLimiterOptions) {
    this.#options = options
  }

  /** Returns true if the caller may proceed. */
  allow(key: string, now = Date.now()): boolean {
    const { limit, windowMs } = this.#options
    const recent = (this.#calls.get(key) ?? []).filter((time) => now - time < windowMs)
    if (recent.length >= limit) {
      this.#calls.set(key, recent)
      return false
    }
    recent.push(now)
    this.#calls.set(key, recent)
    return true
  }
}
\`\`\`

Call \`allow\` with the user's id; it keeps at most \`limit\` timestamps per key.`,
    tokens:
      '43265833216a57731445648471419617119721713665731927157711925244717341c8157713352728114148534748141641' +
      '7142542283362617222527136722425441356241342527223326736135525441725761333754235254417237511322342515' +
      '47313635251b441',
  },
  {
    name: 'Python',
    kind: 'text',
    text: `def load_orders(path: str, *, since: datetime | None = None) -> list[Order]:
    """Read orders from a CSV file, newest first."""
    orders: list[Order] = []
    with open(path, newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            created = datetime.fromisoformat(row["created_at"])
            if since is not None and created < since:
                continue
            try:
                total = Decimal(row["total"].replace(",", ""))
            except InvalidOperation:
                logger.warning("order %s has no valid total: %r", row["id"], row["total"])
                continue
            orders.append(Order(id=int(row["id"]), total=total, created_at=created))
    return sorted(orders, key=lambda order: order.created_at, reverse=True)


if __name__ == "__main__":
    for order in load_orders("orders.csv", since=datetime(2024, 1, 1)):
        print(f"{order.id:>8} {order.total:>12.2f} {order.created_at:%Y-%m-%d}")
`,
    tokens:
      '3575141361925251351533447524517653715151243555184923112372744345673b82953642734b3634548262f91b42f628' +
      '42537524b7892f7825214366121242234254f91b776344224615183173377161476168318542342344534635726426913111' +
      '111147622531111256112111125832121214',
  },
  {
    name: 'arguments of a search',
    kind: 'arguments',
    text: `{"query":"cheap flights from Berlin to Lisbon in October","filters":{"max_price":250,"currency":"EUR","stops":[0,1],"cabin":"economy","departure_window":{"from":"2026-10-03","to":"2026-10-10"}},"sort_by":"price","limit":20,"include_baggage":true,"passengers":[{"type":"adult","count":2},{"type":"child","count":1,"age":7}],"callback_id":"b7f3c1e2-94ad-4c0e-8d55-1f0a6e2b7c39"}`,
    tokens:
      '2535857373837436232833323311131436139744331121232331121232433535222723324246324353521443535212321138' +
      '33111111111221111111121111111111122',
  },
  {
    name: 'arguments of an edit',
    kind: 'arguments',
    text: `{
  "path": "src/components/Header.tsx",
  "edits": [
    {
      "old_text": "import { Logo } from \\"./Logo\\"\\n",
      "new_text": "import { Logo } from \\"./Logo\\"\\nimport { ThemeToggle } from \\"./ThemeToggle\\"\\n"
    },
    {
      "old_text": "      <nav className=\\"header__nav\\">\\n        <Link to=\\"/\\">Home</Link>\\n      </nav>",
      "new_text": "      <nav className=\\"header__nav\\" aria-label=\\"Main\\">\\n        <Link to=\\"/\\">Home</Link>\\n        <Link to=\\"/pricing\\">Pricing</Link>\\n        <ThemeToggle />\\n      </nav>"
    }
  ],
  "explanation": "Adds the theme toggle and the pricing link to the header."
}`,
    tokens:
      '2124223b73131223233352352262525324313523522625253243162662532563123433523522523643623417243313424215' +
      '334523522523643623256344172433134242172433173724217256311533333141229224467448534731',
  },
  {
    name: 'arguments with rows of numbers',
    kind: 'arguments',
    text: `{"table":"measurements","columns":["station","day","temperature","rain_mm"],"rows":[["DE-0412","2026-03-01",7.4,0.2],["DE-0412","2026-03-02",9.1,0],["DE-0413","2026-03-01",6.85,12.75],["FR-1170","2026-03-01",11.3,3.05],["FR-1170","2026-03-02",12.96,0.4],["ES-0088","2026-03-01",17.2,0]],"dry_run":false}`,
    tokens:
      '253753747333b343314322131331121221111111222131331121221111122213133112122112121222213133112122211111' +
      '222213133112122212111122213133112122211113134251',
  },
  {
    name: 'reasoning',
    kind: 'reasoning',
    text: `Okay, the user wants to know whether 391 is prime. Let me check: 391 is odd, so it isn't divisible by 2. The digits add up to 13, so it's not divisible by 3. It doesn't end in 0 or 5. For 7: 7 × 55 = 385, and 391 - 385 = 6, so no. For 11: 3 - 9 + 1 = -5, no. For 13: 13 × 30 = 390, remainder 1. For 17: 17 × 23 = 391. Yes! So 391 = 17 × 23, and it isn't prime.

Wait, let me double-check that: 17 × 20 = 340, 17 × 3 = 51, and 340 + 51 = 391. Correct.

The user also asked for the next prime after it. 392 is even. 393 = 3 × 131. 394 is even. 395 ends in 5. 396 is even. 397: not divisible by 2, 3 (3 + 9 + 7 = 19), 5, 7 (7 × 56 = 392, remainder 5), 11 (3 - 9 + 7 = 1), 13 (13 × 30 = 390, remainder 7), 17 (17 × 23 = 391, remainder 6), 19 (19 × 20 = 380, remainder 17). Since 23 squared is 529, that's enough: 397 is prime. I should answer briefly and show the factors.`,
    tokens:
      '4145635813361436113341336a311147433121354a3111384311311141111121221314132132111331412111211211221131' +
      '4121122122131a11141211221221314131321221214366341437651122122131122112121413212213183355644566311335' +
      '1132112131133511353111133511314a31111121211211212211111212122131a1121221211211211212222122131a112122' +
      '22122131a11212222122131a1226128313177113361277845481',
  },
]
