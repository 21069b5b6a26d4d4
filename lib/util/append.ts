/**
 * Appends an item to a list that usually gets only one. An empty list that is pushed to takes room for 17 items in V8,
 * which is more than most objects of an exchange take.
 *
 * @returns the list to use from now on
 */
export function append<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item]
  list.push(item)
  return list
}
