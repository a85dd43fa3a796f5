-- What the linters have to find. scripts/lint_database.py plants it after it has asked about the migrations, and asks
-- again: a linter that is silent here was not looking. Above each defect, who finds it: -- <linter>: <rule> <object>

-- splinter: rlsDisabledInPublic public.canary_open
-- splinter: policyExistsRlsDisabled public.canary_open
-- splinter: sensitiveColumnsExposed public.canary_open
-- splinter: unindexedForeignKeys public.canary_open.canary_open_tenant_id_fkey
-- pgrls: SEC032 public.canary_open
-- pgrls: SEC049 public.canary_open
create table public.canary_open (id uuid primary key, tenant_id uuid references public.tenants (id), password text);
create policy asleep on public.canary_open for select to authenticated using (tenant_id is not null);
grant select, insert, update, delete on public.canary_open to anon, authenticated;

-- splinter: securityDefinerView public.canary_view
-- pgrls: VIEW001 public.canary_view
create view public.canary_view as select * from public.contacts;
grant select on public.canary_view to authenticated;

-- splinter: authUsersExposed canary_users
create view public.canary_users as select id, email from auth.users;
grant select on public.canary_users to anon;

-- splinter: materializedViewInApi public.canary_copy
-- pgrls: SEC054 public.canary_copy
create materialized view public.canary_copy as select * from public.tenants;
grant select on public.canary_copy to authenticated;

-- splinter: rlsReferencesUserMetadata public.canary_claims.believes
-- splinter: authRlsInitplan public.canary_claims.believes
-- splinter: multiplePermissivePolicies public.canary_claims.authenticated
-- splinter: rlsPolicyAlwaysTrue public.canary_claims.writes
-- pgrls: SEC002 public.canary_claims
-- pgrls: SEC005 public.canary_claims.writes
-- pgrls: SEC028 public.canary_claims.writes
-- pgrls: PERF003 public.canary_claims.believes
create table public.canary_claims (id uuid primary key, tenant_id uuid);
alter table public.canary_claims enable row level security;
create policy believes on public.canary_claims for select to authenticated
  using (tenant_id::text = auth.jwt() -> 'user_metadata' ->> 'tenant');
create policy believes_too on public.canary_claims for select to authenticated
  using (tenant_id = (select private.user_id()));
create policy writes on public.canary_claims for insert to authenticated with check (true);

-- Of our own roles too, which is what excepts SEC007.
-- splinter: multiplePermissivePolicies public.outbox.portero_service
create policy service_too on public.outbox for select to portero_service using (state = 'failed');

-- splinter: rlsEnabledNoPolicy public.canary_shut
-- splinter: noPrimaryKey public.canary_shut
-- pgrls: SEC009 public.canary_shut
create table public.canary_shut (id uuid);
alter table public.canary_shut enable row level security;

-- splinter: functionSearchPathMutable public.canary_path
create function public.canary_path() returns integer language sql as 'select 1';

-- pgrls: SEC014 public.canary_privileged
-- pgrls: SEC015 public.canary_privileged
-- pgrls: SEC042 public.canary_privileged
create function public.canary_privileged() returns bigint language sql security definer set search_path = ''
  as 'select count(*) from public.contacts';
grant execute on function public.canary_privileged() to anon;

-- splinter: duplicateIndex public.members
create index canary_twice on public.members (user_id, tenant_id);

-- splinter: fkeyToAuthUnique public.canary_phones.canary_phones_phone_fkey
create table public.canary_phones (phone text primary key references auth.users (phone));

-- splinter: unsupportedRegTypes public.canary_types.kind
create table public.canary_types (id uuid primary key, kind regcollation);

-- splinter: extensionInPublic vector
alter extension vector set schema public;

-- splinter: foreignTableInApi public.canary_elsewhere
create foreign data wrapper canary;
create server canary foreign data wrapper canary;
create foreign table public.canary_elsewhere (id uuid) server canary;
grant select on public.canary_elsewhere to authenticated;
