-- Budgets: what a plan allows, what a business may differ from it, what was used, and who counts at the moment.
-- Redis counts (shared/abuse/admission.lua). Here are the limits that it is told, the ledger that it can be rebuilt
-- from, and the epoch: each time the counting begins anew, by Redis after a loss or by Postgres while Redis is away, the
-- epoch grows, and whoever still counts in an older one is refused.
-- Volumes, 10,000 tenants: 1 row of tenant_budgets each; 1 million ledger rows and 1,000 alerts a day; open holds only
-- while Redis is away.

-- <scope>.<day|month>.<meter> or <scope>.now.calls, each a whole number that Redis can count with.
create function private.are_limits(p_limits jsonb, p_scopes text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select pg_catalog.jsonb_typeof(p_limits) = 'object' and not exists (
    select from pg_catalog.jsonb_each(p_limits) e
    where e.key !~ ('^(' || p_scopes || ')\.((day|month)\.(ai_microdollars|ai_tokens|embedding_tokens|files|file_bytes|sends)|now\.calls)$')
      or pg_catalog.jsonb_typeof(e.value) <> 'number' or e.value::text !~ '^[0-9]{1,13}$')
$$;

-- A version is the time of the change in milliseconds, and always more than the one before.
create function private.version_now() returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$ select (extract(epoch from clock_timestamp()) * 1000)::bigint $$;

create function private.count_version() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.version := greatest(old.version + 1, private.version_now());
  return new;
end $$;

-- Of each of the rows that a business's limits come from; the greatest of them is the version of the limits, so that it
-- only grows, whichever of them changes.
alter table public.plans add column version bigint not null default private.version_now();
alter table public.subscriptions add column version bigint not null default private.version_now();
update public.plans set limits = '{}';
alter table public.plans add check (private.are_limits(limits, 'tenant|contact|member|channel'));
create trigger count_version before update on public.plans
  for each row execute function private.count_version();
create trigger count_version before update on public.subscriptions
  for each row execute function private.count_version();

insert into public.plans (id, name, limits) values
  ('free', 'Free', '{"tenant.month.ai_microdollars": 2000000, "tenant.day.ai_microdollars": 500000,
    "tenant.month.embedding_tokens": 2000000, "tenant.month.files": 100, "tenant.month.file_bytes": 52428800,
    "tenant.day.sends": 1000, "contact.day.ai_microdollars": 100000, "contact.day.sends": 100,
    "channel.day.sends": 1000, "member.day.ai_microdollars": 200000, "tenant.now.calls": 20}'),
  ('basic', 'Basic', '{"tenant.month.ai_microdollars": 20000000, "tenant.day.ai_microdollars": 5000000,
    "tenant.month.embedding_tokens": 20000000, "tenant.month.files": 1000, "tenant.month.file_bytes": 524288000,
    "tenant.day.sends": 10000, "contact.day.ai_microdollars": 100000, "contact.day.sends": 100,
    "channel.day.sends": 10000, "member.day.ai_microdollars": 200000, "tenant.now.calls": 50}');

-- What a business may differ from its plan, and the state of its counting. Without a row: the plan, never counted.
create table public.tenant_budgets (
  tenant_id uuid primary key references public.tenants (id) on delete cascade,
  limits jsonb not null default '{}' check (private.are_limits(limits, 'tenant|contact|member|channel')),
  stopped text[] not null default '{}' check (stopped <@ array['ai', 'embedding', 'file', 'send']),
  version bigint not null default private.version_now(),
  epoch bigint not null default 0,
  -- By this Redis says that it has no state: the same token opens one epoch, however often it is sent.
  token text check (char_length(token) between 1 and 80),
  place text not null default 'redis' check (place in ('redis', 'postgres')),
  opens_at timestamptz
);
comment on table public.tenant_budgets is
  'tenant=tenant_id personal=no export=owner erase=with-tenant keep=while-customer';

-- The same of a provider, for all businesses together. A tenth of a limit is kept for Postgres while Redis is away.
create table public.provider_budgets (
  provider text primary key check (provider in ('model', 'meta')),
  limits jsonb not null check (private.are_limits(limits, 'platform')),
  stopped text[] not null default '{}' check (stopped <@ array['ai', 'embedding', 'file', 'send']),
  version bigint not null default private.version_now(),
  epoch bigint not null default 0,
  token text check (char_length(token) between 1 and 80),
  opens_at timestamptz,
  fallback_day date not null default '-infinity',
  fallback_used bigint not null default 0 check (fallback_used >= 0)
);
comment on table public.provider_budgets is 'tenant=none personal=no export=no erase=never keep=always';
insert into public.provider_budgets (provider, limits) values
  ('model', '{"platform.day.ai_microdollars": 200000000}'), ('meta', '{"platform.day.sends": 1000000}');

create trigger count_version before update of limits, stopped on public.tenant_budgets
  for each row execute function private.count_version();
create trigger count_version before update of limits, stopped on public.provider_budgets
  for each row execute function private.count_version();

-- What was consumed, a row a hold. Nothing was ever written to its first form, which had a row for each resource.
drop table public.usage_ledger;
create table public.usage_ledger (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  hold_id uuid not null,
  provider text not null check (provider in ('model', 'meta')),
  function text not null check (function ~ '^[a-z][a-z0-9_]{1,39}$'),
  channel_id uuid,
  contact_id uuid,
  -- A member's usage stays when the member leaves.
  user_id uuid,
  ai_microdollars bigint not null default 0 check (ai_microdollars >= 0),
  ai_tokens bigint not null default 0 check (ai_tokens >= 0),
  embedding_tokens bigint not null default 0 check (embedding_tokens >= 0),
  files bigint not null default 0 check (files >= 0),
  file_bytes bigint not null default 0 check (file_bytes >= 0),
  sends bigint not null default 0 check (sends >= 0),
  -- Where the counting stood: Redis behind the greatest seq of its epoch has lost something.
  epoch bigint not null,
  seq bigint not null,
  admitted_at timestamptz not null,
  used_at timestamptz not null default now(),
  -- A hold that is settled twice is charged once.
  unique (tenant_id, hold_id),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete set null (channel_id),
  foreign key (tenant_id, contact_id) references public.contacts (tenant_id, id) on delete set null (contact_id)
);
comment on table public.usage_ledger is
  'tenant=tenant_id personal=user_id export=owner erase=with-tenant keep=60-months(used_at)';
-- Sums of a window; the last seq; the platform's day; retention; the foreign keys.
create index usage_ledger_window on public.usage_ledger (tenant_id, admitted_at);
create index usage_ledger_seq on public.usage_ledger (tenant_id, epoch, seq desc);
create index usage_ledger_provider on public.usage_ledger (provider, admitted_at);
create index usage_ledger_age on public.usage_ledger (used_at);
create index usage_ledger_channel on public.usage_ledger (tenant_id, channel_id) where channel_id is not null;
create index usage_ledger_contact on public.usage_ledger (tenant_id, contact_id) where contact_id is not null;

-- A limit that was nearly (80) or wholly (100 per cent) reached in a window: told once.
create table public.usage_alerts (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  policy text not null check (policy ~ '^[a-z_.]{1,80}$'),
  window_start timestamptz not null,
  level integer not null check (level in (80, 100)),
  raised_at timestamptz not null default now(),
  unique (tenant_id, policy, window_start, level)
);
comment on table public.usage_alerts is
  'tenant=tenant_id personal=no export=owner erase=with-tenant keep=13-months(raised_at)';
create index usage_alerts_age on public.usage_alerts (raised_at);

-- Open holds of Postgres, while Redis is away. What ends leaves the table and enters the ledger.
create table public.usage_holds (
  id uuid not null,
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  provider text not null check (provider in ('model', 'meta')),
  function text not null check (function ~ '^[a-z][a-z0-9_]{1,39}$'),
  channel_id uuid,
  contact_id uuid,
  user_id uuid,
  ai_microdollars bigint not null default 0 check (ai_microdollars >= 0),
  ai_tokens bigint not null default 0 check (ai_tokens >= 0),
  embedding_tokens bigint not null default 0 check (embedding_tokens >= 0),
  files bigint not null default 0 check (files >= 0),
  file_bytes bigint not null default 0 check (file_bytes >= 0),
  sends bigint not null default 0 check (sends >= 0),
  epoch bigint not null,
  seq bigint not null,
  admitted_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete cascade,
  foreign key (tenant_id, contact_id) references public.contacts (tenant_id, id) on delete cascade
);
comment on table public.usage_holds is
  'tenant=tenant_id personal=user_id export=no erase=with-tenant keep=30-days(admitted_at)';
-- What is open of a tenant; what is over of anybody; retention; the foreign keys.
create index usage_holds_tenant on public.usage_holds (tenant_id, epoch, seq desc);
create index usage_holds_expired on public.usage_holds (expires_at);
create index usage_holds_age on public.usage_holds (admitted_at);
create index usage_holds_channel on public.usage_holds (tenant_id, channel_id) where channel_id is not null;
create index usage_holds_contact on public.usage_holds (tenant_id, contact_id) where contact_id is not null;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['tenant_budgets', 'provider_budgets', 'usage_ledger', 'usage_alerts', 'usage_holds'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
  end loop;
  foreach v_table in array array['tenant_budgets', 'usage_ledger', 'usage_alerts', 'usage_holds'] loop
    execute format('create policy service_tenant on public.%I for all to portero_service '
      'using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()))', v_table);
    execute format('grant select, insert on public.%I to portero_service', v_table);
  end loop;
  foreach v_table in array array['tenant_budgets', 'usage_ledger', 'usage_alerts'] loop
    execute format('create policy owner_reads on public.%I for select to authenticated '
      'using (tenant_id in (select private.owned_tenants()))', v_table);
    execute format('create policy second_factor on public.%I as restrictive for all to authenticated '
      'using ((select private.second_factor()) <> ''missing'') with check ((select private.second_factor()) <> ''missing'')',
      v_table);
    execute format('grant select on public.%I to authenticated', v_table);
  end loop;
end $$;

grant update (epoch, token, place, opens_at) on public.tenant_budgets to portero_service;
grant delete on public.usage_holds to portero_service;

-- What belongs to nobody: for the privileged functions only, which a person or the server calls.
create policy service_counts on public.provider_budgets for all to portero_service
  using ((select private.user_id()) is not null or (select private.called_by_server()))
  with check ((select private.user_id()) is not null or (select private.called_by_server()));
grant select, update (epoch, token, opens_at, fallback_day, fallback_used) on public.provider_budgets to portero_service;
create policy service_reads on public.plans for select to portero_service
  using ((select private.user_id()) is not null or (select private.called_by_server()));
grant select on public.plans to portero_service;

create policy sweep_usage on public.usage_ledger for select to portero_sweep
  using ((select private.called_by_server()));
grant select (provider, admitted_at, ai_microdollars, ai_tokens, embedding_tokens, files, file_bytes, sends)
  on public.usage_ledger to portero_sweep;
create policy sweep_expired on public.usage_holds for select to portero_sweep
  using (expires_at < now() and (select private.called_by_server()));
grant select (tenant_id, expires_at) on public.usage_holds to portero_sweep;

create policy retention_old on public.usage_ledger for all to portero_retention
  using (used_at < now() - interval '60 months'
    and (select private.called_by_server()));
create policy retention_old on public.usage_alerts for all to portero_retention
  using (raised_at < now() - interval '13 months'
    and (select private.called_by_server()));
create policy retention_old on public.usage_holds for all to portero_retention
  using (admitted_at < now() - interval '30 days'
    and (select private.called_by_server()));
grant delete, select (id, used_at) on public.usage_ledger to portero_retention;
grant delete, select (id, raised_at) on public.usage_alerts to portero_retention;
grant delete, select (id, admitted_at) on public.usage_holds to portero_retention;

-- Facts -------------------------------------------------------------------------------------------------------------

-- The limits that hold for a tenant: those of its plan, and over them its own. Who does not pay has the free plan.
create function private.limits_of(p_tenant uuid, out limits jsonb, out version bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select p.limits || coalesce(b.limits, '{}'), greatest(p.version, s.version, b.version)
  from public.tenants t
  left join public.subscriptions s on s.tenant_id = t.id
  left join public.tenant_budgets b on b.tenant_id = t.id
  join public.plans p on p.id = case when s.state in ('trialing', 'active', 'past_due') then s.plan_id else 'free' end
  where t.id = p_tenant
$$;

-- What an admission needs to know: {tenant, time_zone, version, epoch, seq, limits, providers: {name: {version, epoch, limits}}}.
create function private.budget_facts(p_tenant uuid) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('tenant', t.id, 'time_zone', t.time_zone, 'version', l.version, 'limits', l.limits,
    'epoch', coalesce(b.epoch, 0),
    'seq', coalesce((select max(u.seq) from public.usage_ledger u
      where u.tenant_id = p_tenant and u.epoch = coalesce(b.epoch, 0)), 0),
    'providers', (select jsonb_object_agg(v.provider, jsonb_build_object('version', v.version, 'epoch', v.epoch,
        'limits', (select coalesce(jsonb_object_agg(e.key, e.value::bigint * 9 / 10), '{}') from jsonb_each_text(v.limits) e)))
      from public.provider_budgets v))
  from public.tenants t
  cross join private.limits_of(p_tenant) l
  left join public.tenant_budgets b on b.tenant_id = t.id
  where t.id = p_tenant
$$;

create function public.budget_facts(p_tenant uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return private.budget_facts(p_tenant);
end $$;

-- Internal guard of what a member may ask with their own token: theirs, or the same answer as for one that is not there.
-- Who has set up a second factor and not given it is no member here either.
create function private.require_member(p_tenant uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_tenant is null or private.second_factor() = 'missing'
     or not exists (select from private.my_tenants() m where m = p_tenant) then
    raise exception 'not found' using errcode = '42501';
  end if;
end $$;

create function public.my_budget_facts(p_tenant uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  return private.budget_facts(p_tenant);
end $$;

-- Opening -----------------------------------------------------------------------------------------------------------

-- What was used and what Postgres holds, of each limit that the tenant has, for each contact, member and channel that
-- used any of it. The name and the id of a scope, as the limits call them.
create function private.usage_by_limit(p_tenant uuid, p_day timestamptz, p_month timestamptz)
returns table (scope text, id text, time_window text, meter text, used bigint, held bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with limits as (
    select split_part(e.key, '.', 1) as scope, split_part(e.key, '.', 2) as time_window, split_part(e.key, '.', 3) as meter
    from jsonb_object_keys((private.limits_of(p_tenant)).limits) as e (key)
  ), amounts as (
    select u.channel_id, u.contact_id, u.user_id, u.admitted_at >= p_day as is_today, false as is_held,
      u.ai_microdollars, u.ai_tokens, u.embedding_tokens, u.files, u.file_bytes, u.sends, 0::bigint as calls
    from public.usage_ledger u where u.tenant_id = p_tenant and u.admitted_at >= least(p_day, p_month)
    union all
    select h.channel_id, h.contact_id, h.user_id, h.admitted_at >= p_day, true,
      h.ai_microdollars, h.ai_tokens, h.embedding_tokens, h.files, h.file_bytes, h.sends, 1
    from public.usage_holds h where h.tenant_id = p_tenant
  ), sums as (
    select s.scope, s.id, a.is_today, a.is_held, sum(a.ai_microdollars) as ai_microdollars, sum(a.ai_tokens) as ai_tokens,
      sum(a.embedding_tokens) as embedding_tokens, sum(a.files) as files, sum(a.file_bytes) as file_bytes,
      sum(a.sends) as sends, sum(a.calls) as calls
    from amounts a cross join lateral (values ('tenant', ''), ('channel', a.channel_id::text),
      ('contact', a.contact_id::text), ('member', a.user_id::text)) s (scope, id)
    where s.id is not null and s.scope in (select l.scope from limits l)
    group by s.scope, s.id, a.is_today, a.is_held
  )
  select l.scope, s.id, l.time_window, l.meter, coalesce(sum(m.amount) filter (where not s.is_held), 0)::bigint,
    coalesce(sum(m.amount) filter (where s.is_held), 0)::bigint
  from limits l
  join sums s on s.scope = l.scope and (s.is_today or l.time_window <> 'day')
  cross join lateral (select case l.meter when 'ai_microdollars' then s.ai_microdollars when 'ai_tokens' then s.ai_tokens
    when 'embedding_tokens' then s.embedding_tokens when 'files' then s.files when 'file_bytes' then s.file_bytes
    when 'sends' then s.sends else s.calls end as amount) m
  group by l.scope, s.id, l.time_window, l.meter
$$;

-- Counters for Redis to begin with: what Postgres holds counts in full.
create function private.budget_counters(p_tenant uuid, p_day timestamptz, p_month timestamptz) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('scope', c.scope, 'id', c.id, 'window', c.time_window, 'meter', c.meter,
    'used', c.used + c.held)), '[]')
  from private.usage_by_limit(p_tenant, p_day, p_month) c
  where c.time_window <> 'now' and c.used + c.held > 0
$$;

-- What all businesses have used at a provider, of each limit that it has.
create function private.platform_counters(p_provider text, p_limits jsonb, p_day timestamptz, p_month timestamptz)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  return (select coalesce(jsonb_agg(jsonb_build_object('scope', 'platform', 'id', '', 'window', split_part(e.key, '.', 2),
    'meter', split_part(e.key, '.', 3), 'used', s.used)), '[]')
  from jsonb_object_keys(p_limits) as e (key)
  cross join lateral (
    select coalesce(sum(case split_part(e.key, '.', 3) when 'ai_microdollars' then u.ai_microdollars
      when 'ai_tokens' then u.ai_tokens when 'embedding_tokens' then u.embedding_tokens when 'files' then u.files
      when 'file_bytes' then u.file_bytes when 'sends' then u.sends end), 0)::bigint as used
    from public.usage_ledger u where u.provider = p_provider
      and u.admitted_at >= case split_part(e.key, '.', 2) when 'day' then p_day else p_month end) s
  where s.used > 0);
end $$;

-- One side's epoch for a token. Whoever was admitted before a loss has ended a minute later, and is in the ledger then;
-- until that nobody is admitted. Nothing needs waiting for at the first opening, nor after Postgres counted itself.
create function private.open_tenant(p_tenant uuid, p_token text, p_day timestamptz, p_month timestamptz, p_is_server boolean)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_budget public.tenant_budgets;
begin
  insert into public.tenant_budgets (tenant_id) values (p_tenant) on conflict do nothing;
  select * into v_budget from public.tenant_budgets b where b.tenant_id = p_tenant for update;
  if v_budget.token is distinct from p_token then
    if not p_is_server and v_budget.epoch > 0 then
      raise exception 'only the server opens a budget again' using errcode = '53000';
    end if;
    update public.tenant_budgets b set epoch = b.epoch + 1, token = p_token, place = 'redis',
      opens_at = case when b.epoch = 0 or b.place = 'postgres' then now() else now() + interval '60 seconds' end
      where b.tenant_id = p_tenant returning * into v_budget;
  end if;
  return private.opened(v_budget.epoch, (private.limits_of(p_tenant)).version, v_budget.stopped, v_budget.opens_at,
    case when v_budget.opens_at <= now() then private.budget_counters(p_tenant, p_day, p_month) end);
end $$;

create function private.open_provider(p_provider text, p_token text, p_day timestamptz, p_month timestamptz, p_is_server boolean)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_budget public.provider_budgets;
  v_is_first boolean;
begin
  select * into v_budget from public.provider_budgets b where b.provider = p_provider for update;
  if not found then
    raise exception 'no such provider' using errcode = '22023';
  end if;
  v_is_first := v_budget.epoch = 0;
  if v_budget.token is distinct from p_token then
    if not (p_is_server or v_is_first) then
      raise exception 'only the server opens a budget again' using errcode = '53000';
    end if;
    update public.provider_budgets b set epoch = b.epoch + 1, token = p_token,
      opens_at = case when b.epoch = 0 then now() else now() + interval '60 seconds' end
      where b.provider = p_provider returning * into v_budget;
  end if;
  -- A person may not read across businesses, and needs not: before the first opening nobody has used anything.
  return private.opened(v_budget.epoch, v_budget.version, v_budget.stopped, v_budget.opens_at,
    case when v_budget.opens_at > now() then null
      when p_is_server then private.platform_counters(p_provider, v_budget.limits, p_day, p_month) else '[]' end);
end $$;

create function private.opened(p_epoch bigint, p_version bigint, p_stopped text[], p_opens_at timestamptz, p_counters jsonb)
returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('epoch', p_epoch, 'version', p_version, 'stopped', p_stopped,
    'opens_in_ms', greatest(0, ceil(extract(epoch from p_opens_at - now()) * 1000))::bigint,
    'counters', coalesce(p_counters, '[]'))
$$;

-- Redis has no state of a tenant, of a provider, or of both, and says so by a token each.
create function public.open_budget(p_tenant uuid, p_tenant_token text, p_provider text, p_provider_token text,
  p_day timestamptz, p_month timestamptz, p_platform_day timestamptz, p_platform_month timestamptz) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return jsonb_build_object(
    'tenant', case when p_tenant_token is not null then private.open_tenant(p_tenant, p_tenant_token, p_day, p_month, true) end,
    'provider', case when p_provider_token is not null
      then private.open_provider(p_provider, p_provider_token, p_platform_day, p_platform_month, true) end);
end $$;

create function public.open_my_budget(p_tenant uuid, p_tenant_token text, p_provider text, p_provider_token text,
  p_day timestamptz, p_month timestamptz, p_platform_day timestamptz, p_platform_month timestamptz) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  return jsonb_build_object(
    'tenant', case when p_tenant_token is not null then private.open_tenant(p_tenant, p_tenant_token, p_day, p_month, false) end,
    'provider', case when p_provider_token is not null
      then private.open_provider(p_provider, p_provider_token, p_platform_day, p_platform_month, false) end);
end $$;

-- The counters of a tenant by the ledger, to compare with.
create function public.budget_sums(p_tenant uuid, p_day timestamptz, p_month timestamptz) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return private.budget_counters(p_tenant, p_day, p_month);
end $$;

-- The ledger --------------------------------------------------------------------------------------------------------

-- Ends of holds, each once, and alerts, each once. Channels and contacts that are gone are left out. How many were new.
create function public.record_usage(p_tenant uuid, p_rows jsonb, p_alerts jsonb) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_new integer;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  if jsonb_array_length(p_rows) > 500 or jsonb_array_length(p_alerts) > 500 then
    raise exception 'at most 500 rows' using errcode = '22023';
  end if;
  insert into public.usage_ledger (tenant_id, hold_id, provider, function, channel_id, contact_id, user_id, ai_microdollars,
      ai_tokens, embedding_tokens, files, file_bytes, sends, epoch, seq, admitted_at)
    select p_tenant, r.hold_id, r.provider, r.function, c.id, k.id, r.user_id, coalesce(r.ai_microdollars, 0),
      coalesce(r.ai_tokens, 0), coalesce(r.embedding_tokens, 0), coalesce(r.files, 0), coalesce(r.file_bytes, 0),
      coalesce(r.sends, 0), r.epoch, r.seq, r.admitted_at
    from jsonb_to_recordset(p_rows) as r (hold_id uuid, provider text, function text, channel_id uuid, contact_id uuid,
      user_id uuid, ai_microdollars bigint, ai_tokens bigint, embedding_tokens bigint, files bigint, file_bytes bigint,
      sends bigint, epoch bigint, seq bigint, admitted_at timestamptz)
    left join public.channels c on c.tenant_id = p_tenant and c.id = r.channel_id
    left join public.contacts k on k.tenant_id = p_tenant and k.id = r.contact_id
    on conflict (tenant_id, hold_id) do nothing;
  get diagnostics v_new = row_count;
  insert into public.usage_alerts (tenant_id, policy, window_start, level)
    select p_tenant, a.policy, a.window_start, a.level
    from jsonb_to_recordset(p_alerts) as a (policy text, window_start timestamptz, level integer)
    on conflict (tenant_id, policy, window_start, level) do nothing;
  return v_new;
end $$;

-- What was used on each day in the business's time zone, by channel and function. Row level security: an owner's.
create function public.usage_by_day(p_tenant uuid, p_from date, p_to date)
returns table (day date, channel_id uuid, function text, ai_microdollars bigint, ai_tokens bigint, embedding_tokens bigint,
  files bigint, file_bytes bigint, sends bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select (u.admitted_at at time zone t.time_zone)::date, u.channel_id, u.function, sum(u.ai_microdollars)::bigint,
    sum(u.ai_tokens)::bigint, sum(u.embedding_tokens)::bigint, sum(u.files)::bigint, sum(u.file_bytes)::bigint,
    sum(u.sends)::bigint
  from public.tenants t
  join public.usage_ledger u on u.tenant_id = t.id and u.admitted_at >= p_from::timestamp at time zone t.time_zone
    and u.admitted_at < (least(p_to, p_from + 400) + 1)::timestamp at time zone t.time_zone
  where t.id = p_tenant
  group by 1, 2, 3 order by 1, 3, 2
$$;

-- Admission in Postgres, while Redis is away ---------------------------------------------------------------------------

-- What was answered when this hold was granted, or null.
create function private.granted_before(p_tenant uuid, p_hold uuid) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('state', 'admitted', 'epoch', h.epoch, 'seq', h.seq, 'granted', jsonb_build_object(
    'ai_microdollars', h.ai_microdollars, 'ai_tokens', h.ai_tokens, 'embedding_tokens', h.embedding_tokens,
    'files', h.files, 'file_bytes', h.file_bytes, 'sends', h.sends))
  from public.usage_holds h where h.tenant_id = p_tenant and h.id = p_hold
$$;

create function private.denied(p_reason text, p_policy text, p_retry_ms integer) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select jsonb_build_object('state', 'denied', 'reason', p_reason, 'policy', p_policy, 'retry_ms', p_retry_ms) $$;

-- The decision, under the lock of the tenant's row and then of the provider's: what Postgres counts is counted here only.
-- p_wants: {meter: [least, wanted]}. Answers {state: admitted, granted, epoch, seq} or {state: denied, reason, policy,
-- retry_ms}. The first to ask while Redis still counts closes the budget for a minute, in which Redis's holds end.
create function private.decide_usage(p_tenant uuid, p_hold uuid, p_provider text, p_scopes jsonb, p_wants jsonb,
  p_day timestamptz, p_month timestamptz) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_budget public.tenant_budgets;
  v_platform public.provider_budgets;
  v_limit record;
  v_least bigint;
  v_granted jsonb;
  v_main text := case p_provider when 'meta' then 'sends' else 'ai_microdollars' end;
  v_reserve bigint;
begin
  insert into public.tenant_budgets (tenant_id) values (p_tenant) on conflict do nothing;
  select * into v_budget from public.tenant_budgets b where b.tenant_id = p_tenant for update;
  if private.granted_before(p_tenant, p_hold) is not null then
    return private.granted_before(p_tenant, p_hold);
  end if;
  if v_budget.place = 'redis' then
    update public.tenant_budgets b set place = 'postgres', epoch = b.epoch + 1, token = null,
      opens_at = case when b.epoch = 0 then now() else now() + interval '60 seconds' end
      where b.tenant_id = p_tenant returning * into v_budget;
  end if;
  if v_budget.opens_at > now() then
    return private.denied('rebuilding', '', ceil(extract(epoch from v_budget.opens_at - now()) * 1000)::integer);
  end if;
  select * into v_platform from public.provider_budgets b where b.provider = p_provider for update;
  if not found then
    raise exception 'no such provider' using errcode = '22023';
  end if;
  if exists (select from jsonb_object_keys(p_wants) as w (meter)
      where case when w.meter like 'ai%' then 'ai' when w.meter like 'embedding%' then 'embedding'
        when w.meter like 'file%' then 'file' else 'send' end = any (v_budget.stopped || v_platform.stopped)) then
    return private.denied('stopped', '', null);
  end if;
  select jsonb_object_agg(w.key, (w.value ->> 1)::bigint) into v_granted from jsonb_each(p_wants) w;
  for v_limit in
    select e.key as name, split_part(e.key, '.', 2) as time_window, split_part(e.key, '.', 3) as meter,
      e.value::bigint as amount, coalesce(u.used, 0) as used, coalesce(u.held, 0) as held
    from jsonb_each_text((private.limits_of(p_tenant)).limits) e
    cross join lateral (select case when split_part(e.key, '.', 1) = 'tenant' then '' else p_scopes ->> split_part(e.key, '.', 1) end as id) s
    left join private.usage_by_limit(p_tenant, p_day, p_month) u
      on e.key = u.scope || '.' || u.time_window || '.' || u.meter and u.id = s.id
    where s.id is not null and (p_wants ? split_part(e.key, '.', 3) or split_part(e.key, '.', 3) = 'calls')
    order by e.key
  loop
    if v_limit.time_window = 'now' then
      if v_limit.held >= v_limit.amount then
        return private.denied('concurrency', v_limit.name, 1000);
      end if;
      continue;
    end if;
    v_least := (p_wants -> v_limit.meter ->> 0)::bigint;
    if v_least > v_limit.amount then
      return private.denied('too_large', v_limit.name, null);
    elsif v_limit.amount - v_limit.used < v_least then
      return private.denied('budget_spent', v_limit.name, null);
    elsif v_limit.amount - v_limit.used - v_limit.held < v_least then
      return private.denied('budget_held', v_limit.name, 2000);
    end if;
    v_granted := jsonb_set(v_granted, array[v_limit.meter],
      to_jsonb(least((v_granted ->> v_limit.meter)::bigint, v_limit.amount - v_limit.used - v_limit.held)));
  end loop;
  v_reserve := (v_platform.limits ->> ('platform.day.' || v_main))::bigint / 10;
  if v_granted ? v_main and v_reserve is not null then
    if v_platform.fallback_day <> (now() at time zone 'UTC')::date then
      v_platform.fallback_used := 0;
    end if;
    if v_platform.fallback_used + (v_granted ->> v_main)::bigint > v_reserve then
      return private.denied('budget_spent', 'platform.day.' || v_main, null);
    end if;
    update public.provider_budgets b set fallback_day = (now() at time zone 'UTC')::date,
      fallback_used = v_platform.fallback_used + (v_granted ->> v_main)::bigint where b.provider = p_provider;
  end if;
  return jsonb_build_object('state', 'admitted', 'granted', v_granted, 'epoch', v_budget.epoch, 'seq', 1 + greatest(
    (select max(u.seq) from public.usage_ledger u where u.tenant_id = p_tenant and u.epoch = v_budget.epoch),
    (select max(h.seq) from public.usage_holds h where h.tenant_id = p_tenant and h.epoch = v_budget.epoch), 0));
end $$;

create function public.admit_usage(p_tenant uuid, p_hold uuid, p_seconds integer, p_provider text, p_function text,
  p_scopes jsonb, p_wants jsonb, p_day timestamptz, p_month timestamptz) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_decision jsonb;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  v_decision := private.decide_usage(p_tenant, p_hold, p_provider, p_scopes, p_wants, p_day, p_month);
  if v_decision ->> 'state' = 'admitted' then
    insert into public.usage_holds (id, tenant_id, provider, function, channel_id, contact_id, user_id, ai_microdollars,
        ai_tokens, embedding_tokens, files, file_bytes, sends, epoch, seq, expires_at)
      select p_hold, p_tenant, p_provider, p_function, (p_scopes ->> 'channel')::uuid, (p_scopes ->> 'contact')::uuid,
        (p_scopes ->> 'member')::uuid, coalesce(g.ai_microdollars, 0), coalesce(g.ai_tokens, 0),
        coalesce(g.embedding_tokens, 0), coalesce(g.files, 0), coalesce(g.file_bytes, 0), coalesce(g.sends, 0),
        (v_decision ->> 'epoch')::bigint, (v_decision ->> 'seq')::bigint,
        now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
      from jsonb_to_record(v_decision -> 'granted') as g (ai_microdollars bigint, ai_tokens bigint,
        embedding_tokens bigint, files bigint, file_bytes bigint, sends bigint)
      on conflict (tenant_id, id) do nothing;
  end if;
  return v_decision;
end $$;

-- A hold of Postgres becomes a row of the ledger, with what was used, or in full when p_used is null. Whether it was there.
create function private.end_hold(p_tenant uuid, p_hold uuid, p_used jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_hold public.usage_holds;
  v_used record;
  v_main bigint;
begin
  delete from public.usage_holds h where h.tenant_id = p_tenant and h.id = p_hold returning * into v_hold;
  if not found then
    return jsonb_build_object('state', 'unknown', 'overdraft', 0);
  end if;
  select * into v_used from jsonb_to_record(coalesce(p_used, to_jsonb(v_hold))) as u (ai_microdollars bigint,
    ai_tokens bigint, embedding_tokens bigint, files bigint, file_bytes bigint, sends bigint);
  insert into public.usage_ledger (tenant_id, hold_id, provider, function, channel_id, contact_id, user_id,
      ai_microdollars, ai_tokens, embedding_tokens, files, file_bytes, sends, epoch, seq, admitted_at)
    values (p_tenant, p_hold, v_hold.provider, v_hold.function, v_hold.channel_id, v_hold.contact_id, v_hold.user_id,
      coalesce(v_used.ai_microdollars, 0), coalesce(v_used.ai_tokens, 0), coalesce(v_used.embedding_tokens, 0),
      coalesce(v_used.files, 0), coalesce(v_used.file_bytes, 0), coalesce(v_used.sends, 0), v_hold.epoch, v_hold.seq,
      v_hold.admitted_at)
    on conflict (tenant_id, hold_id) do nothing;
  v_main := case v_hold.provider when 'meta' then coalesce(v_used.sends, 0) - v_hold.sends
    else coalesce(v_used.ai_microdollars, 0) - v_hold.ai_microdollars end;
  update public.provider_budgets b set fallback_used = greatest(0, b.fallback_used + v_main)
    where b.provider = v_hold.provider and b.fallback_day = (v_hold.admitted_at at time zone 'UTC')::date;
  return jsonb_build_object('state', 'settled', 'overdraft', greatest(0, coalesce(v_used.ai_microdollars, 0) - v_hold.ai_microdollars)
    + greatest(0, coalesce(v_used.ai_tokens, 0) - v_hold.ai_tokens)
    + greatest(0, coalesce(v_used.embedding_tokens, 0) - v_hold.embedding_tokens)
    + greatest(0, coalesce(v_used.files, 0) - v_hold.files) + greatest(0, coalesce(v_used.file_bytes, 0) - v_hold.file_bytes)
    + greatest(0, coalesce(v_used.sends, 0) - v_hold.sends));
end $$;

create function public.settle_usage(p_tenant uuid, p_hold uuid, p_used jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return private.end_hold(p_tenant, p_hold, p_used);
end $$;

-- A member's own call, charged at once and in full, since nobody but the server may say that less was used. Called
-- directly it can do no more than the console's functions: so much a call, and twenty calls a minute.
create function public.admit_my_usage(p_tenant uuid, p_hold uuid, p_provider text, p_function text, p_wants jsonb,
  p_day timestamptz, p_month timestamptz) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user uuid := private.user_id();
  v_decision jsonb;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  if p_provider is distinct from 'model' or exists (select from jsonb_each(p_wants) w where (w.value ->> 1)::bigint
      > case w.key when 'files' then 1 when 'file_bytes' then 10485760 when 'sends' then 0 else 500000 end) then
    raise exception 'more than a call of the console may use' using errcode = '22023';
  end if;
  v_decision := private.decide_usage(p_tenant, p_hold, p_provider, jsonb_build_object('member', v_user), p_wants, p_day, p_month);
  if v_decision ->> 'state' <> 'admitted' then
    return v_decision;
  end if;
  if (select count(*) from public.usage_ledger u where u.tenant_id = p_tenant and u.user_id = v_user
      and u.admitted_at > now() - interval '1 minute') >= 20 then
    return private.denied('rate', 'member.calls', 60000);
  end if;
  insert into public.usage_ledger (tenant_id, hold_id, provider, function, user_id, ai_microdollars, ai_tokens,
      embedding_tokens, files, file_bytes, sends, epoch, seq, admitted_at)
    select p_tenant, p_hold, p_provider, p_function, v_user, coalesce(g.ai_microdollars, 0), coalesce(g.ai_tokens, 0),
      coalesce(g.embedding_tokens, 0), coalesce(g.files, 0), coalesce(g.file_bytes, 0), coalesce(g.sends, 0),
      (v_decision ->> 'epoch')::bigint, (v_decision ->> 'seq')::bigint, now()
    from jsonb_to_record(v_decision -> 'granted') as g (ai_microdollars bigint, ai_tokens bigint, embedding_tokens bigint,
      files bigint, file_bytes bigint, sends bigint)
    on conflict (tenant_id, hold_id) do nothing;
  return v_decision;
end $$;

create function private.tenants_with_expired_holds() returns setof uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select distinct h.tenant_id from public.usage_holds h where h.expires_at < now() limit 500 $$;

-- Holds that nobody settled, of all tenants: charged in full. How many.
create function public.expire_usage_holds() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant uuid;
  v_hold uuid;
  v_ended integer := 0;
begin
  perform private.require_server();
  for v_tenant in select private.tenants_with_expired_holds() loop
    perform private.enter_tenant(v_tenant);
    for v_hold in select h.id from public.usage_holds h where h.tenant_id = v_tenant and h.expires_at < now() limit 500 loop
      perform private.end_hold(v_tenant, v_hold, null);
      v_ended := v_ended + 1;
    end loop;
  end loop;
  return v_ended;
end $$;

-- What workers are told with their claim: the limits too, so that an admission costs no question of its own.
do $$
declare
  v_turn text := pg_get_functiondef('public.claim_turn(uuid, uuid, integer)'::regprocedure);
  v_send text := pg_get_functiondef('public.claim_outbox(uuid, uuid, integer)'::regprocedure);
begin
  assert strpos(v_turn, '''state'', ''claimed'', ') > 0 and strpos(v_send, '''state'', ''claimed'', ') > 0;
  execute replace(v_turn, '''state'', ''claimed'', ', '''state'', ''claimed'', ''budget'', private.budget_facts(p_tenant), '
    '''contact'', v_conversation.contact_id, ''channel_row'', v_conversation.channel_id, ');
  execute replace(v_send, '''state'', ''claimed'', ', '''state'', ''claimed'', ''budget'', private.budget_facts(p_tenant), '
    '''contact'', k.id, ''channel_row'', c.id, ');
end $$;

grant execute on function public.budget_facts(uuid), public.budget_sums(uuid, timestamptz, timestamptz),
  public.open_budget(uuid, text, text, text, timestamptz, timestamptz, timestamptz, timestamptz),
  public.record_usage(uuid, jsonb, jsonb), public.settle_usage(uuid, uuid, jsonb), public.expire_usage_holds(),
  public.admit_usage(uuid, uuid, integer, text, text, jsonb, jsonb, timestamptz, timestamptz) to service_role;
grant execute on function public.my_budget_facts(uuid), public.usage_by_day(uuid, date, date),
  public.open_my_budget(uuid, text, text, text, timestamptz, timestamptz, timestamptz, timestamptz),
  public.admit_my_usage(uuid, uuid, text, text, jsonb, timestamptz, timestamptz) to authenticated;
grant execute on function private.platform_counters(text, jsonb, timestamptz, timestamptz),
  private.tenants_with_expired_holds() to portero_service;
grant execute on function private.are_limits(jsonb, text), private.count_version(), private.version_now(), private.second_factor()
  to portero_service;

grant create on schema public, private to portero_service, portero_sweep;
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p
    where (p.pronamespace = 'private'::regnamespace and p.proname in ('limits_of', 'budget_facts', 'require_member',
        'usage_by_limit', 'budget_counters', 'open_tenant', 'open_provider', 'opened', 'granted_before', 'denied',
        'decide_usage', 'end_hold', 'count_version', 'version_now', 'are_limits'))
      or (p.pronamespace = 'public'::regnamespace and p.proname in ('budget_facts', 'my_budget_facts', 'open_budget',
        'open_my_budget', 'budget_sums', 'record_usage', 'admit_usage', 'settle_usage', 'admit_my_usage',
        'expire_usage_holds'))
  loop
    execute format('alter function %s owner to portero_service', v_function);
  end loop;
end $$;
alter function private.platform_counters(text, jsonb, timestamptz, timestamptz) owner to portero_sweep;
alter function private.tenants_with_expired_holds() owner to portero_sweep;
revoke create on schema public, private from portero_service, portero_sweep;
