/**
 * Returns a key for the tenant of a subject. One without a tenant is a tenant of its own, also if its id is the name of
 * another subject's tenant.
 */
export function tenantKey({ id, tenant }: { readonly id: string; readonly tenant?: string | undefined }): string {
  return tenant === undefined ? `subject ${id}` : namedTenantKey(tenant)
}

/** Returns the key of a tenant by its name. */
export function namedTenantKey(name: string): string {
  return `tenant ${name}`
}

/** Returns the name in a key: the tenant's, or the id of a subject without one. */
export function nameInTenantKey(key: string): string {
  return key.slice(key.indexOf(' ') + 1)
}
