-- Roles and schemas that the rest of the migrations stand on.
--
-- portero_service owns every privileged function. It cannot log in and it does not bypass row level security: a
-- privileged function sees one tenant, the one that private.enter_tenant() named in this transaction.
-- portero_sweep owns the one function that looks across tenants, and may read ids and times only.

do $$
begin
  if not exists (select from pg_roles where rolname = 'portero_service') then
    create role portero_service nologin nobypassrls noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'portero_sweep') then
    create role portero_sweep nologin nobypassrls noinherit;
  end if;
end $$;

-- Since PostgreSQL 16 a role's creator may administer it but not act as it; handing a function over needs both.
grant portero_service, portero_sweep to postgres;

create schema if not exists private;
revoke all on schema private from public;
grant usage on schema private to authenticated, service_role, portero_service, portero_sweep;
grant usage on schema public to portero_service, portero_sweep;
grant usage on schema extensions to portero_service;

-- Functions are executable by everybody unless this says otherwise; only the form without IN SCHEMA has an effect.
alter default privileges revoke execute on functions from public;

create extension if not exists vector with schema extensions;

-- The tenant that this transaction works for, or null. Set by private.enter_tenant() and by nothing else.
create function private.tenant() returns uuid
language sql stable
set search_path = ''
as $$ select nullif(current_setting('portero.tenant', true), '')::uuid $$;

create function private.enter_tenant(p_tenant uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_tenant is null then
    raise exception 'no tenant' using errcode = '42501';
  end if;
  perform set_config('portero.tenant', p_tenant::text, true);
end $$;

-- Internal guard of every server-only function: the caller is the server's secret key, or the answer is 42501.
create function private.require_server() returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', '')
     is distinct from 'service_role' then
    raise exception 'not allowed' using errcode = '42501';
  end if;
end $$;

-- The signed-in user as the token says; null without one.
create function private.user_id() returns uuid
language sql stable
set search_path = ''
as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;

grant execute on function private.tenant(), private.user_id() to authenticated, portero_service, portero_sweep;
grant execute on function private.enter_tenant(uuid), private.require_server() to portero_service, portero_sweep;
