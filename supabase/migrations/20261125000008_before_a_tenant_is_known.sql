-- What arrives before its tenant is known gets an owner of its own, so that portero_service sees one tenant in every
-- table, without an exception: portero_intake may tell whose a number is, and keep what names no tenant.

do $$
begin
  if not exists (select from pg_roles where rolname = 'portero_intake') then
    create role portero_intake nologin nobypassrls noinherit;
  end if;
end $$;
grant portero_intake to postgres;
grant usage on schema public, private to portero_intake;

-- Whether the caller is the server's secret key. The policies of the roles that look across tenants ask it too, so that
-- a function that forgot its guard would find these tables empty.
create function private.called_by_server() returns boolean
language sql stable
set search_path = ''
as $$
  select coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' = 'service_role', false)
$$;

create or replace function private.require_server() returns void
language plpgsql stable
set search_path = ''
as $$
begin
  if not private.called_by_server() then
    raise exception 'not allowed' using errcode = '42501';
  end if;
end $$;
grant execute on function private.called_by_server() to portero_service, portero_sweep, portero_intake;
grant execute on function private.require_server() to portero_intake;

alter policy sweep_open on public.inbox using (outcome is null and (select private.called_by_server()));
alter policy sweep_pending on public.outbox using (state = 'pending' and (select private.called_by_server()));

-- The only read that precedes knowing the tenant: a signed webhook names a number, the number names the tenant.
drop policy service_routes on public.channels;
drop policy service_tenant on public.channels;
create policy service_tenant on public.channels for all to portero_service
  using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()));
create policy intake_routes on public.channels for select to portero_intake
  using ((select private.called_by_server()));
grant select (id, tenant_id, kind, external_id, account_id, created_at) on public.channels to portero_intake;

-- Billing providers and Meta's privacy callbacks name no tenant of ours.
drop policy service_all on public.billing_events;
create policy intake_all on public.billing_events for all to portero_intake
  using ((select private.called_by_server())) with check ((select private.called_by_server()));
revoke all on public.billing_events from portero_service;
grant select, insert on public.billing_events to portero_intake;
grant update (facts, item, occurred_at, received_at, deliveries, outcome, settled_at)
  on public.billing_events to portero_intake;

drop policy service_all on public.deletion_requests;
create policy intake_all on public.deletion_requests for all to portero_intake
  using ((select private.called_by_server())) with check ((select private.called_by_server()));
revoke all on public.deletion_requests from portero_service;
grant select, insert on public.deletion_requests to portero_intake;
grant update (state, settled_at) on public.deletion_requests to portero_intake;

-- Whose the items of a webhook body are: a row for each number, page or account that they name and that is known here.
-- An event of an account goes to the account's first number.
create function private.routes_of(p_items jsonb)
returns table (kind text, named text, is_account boolean, channel_id uuid, tenant_id uuid)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  return query
    select distinct on (n.kind, n.named, n.is_account) n.kind, n.named, n.is_account, c.id, c.tenant_id
    from (select distinct i ->> 'channel' as kind, i ->> 'channel_id' as named, i ->> 'kind' = 'account' as is_account
      from jsonb_array_elements(p_items) as e (i)) n
    join public.channels c on c.kind = n.kind
      and (c.external_id = n.named or (n.is_account and c.account_id = n.named))
    order by n.kind, n.named, n.is_account, c.external_id = n.named desc, c.created_at, c.id;
end $$;
grant execute on function private.routes_of(jsonb) to portero_service;

grant create on schema public, private to portero_intake;
alter function private.routes_of(jsonb) owner to portero_intake;
alter function public.keep_billing_event(text, text, boolean, jsonb, jsonb, timestamptz) owner to portero_intake;
alter function public.keep_deletion_request(text, text, timestamptz, text) owner to portero_intake;
alter function public.deletion_status(text) owner to portero_intake;
revoke create on schema public, private from portero_intake;

-- The items of a body in its order; those of an unknown channel have no tenant. A body may hold an effect twice: the
-- first one counts. A time from the future is taken as now.
create or replace function private.arrivals_of(p_items jsonb) returns private.arrival[]
language sql stable
set search_path = ''
as $$
  with items as (
    select i, place, i ->> 'channel' as kind, i ->> 'channel_id' as named, i ->> 'kind' = 'account' as is_account
    from jsonb_array_elements(p_items) with ordinality as e (i, place)
  ), arrivals as (
    select distinct on (r.tenant_id, i ->> 'key') row(
      r.tenant_id, r.channel_id, i ->> 'kind', i ->> 'key', least((i ->> 'occurred_at')::timestamptz, now()), i -> 'item',
      i -> 'contact' ->> 'id', i -> 'contact' ->> 'phone', coalesce(i -> 'contact' ->> 'name', ''), i ->> 'type',
      coalesce(i ->> 'text', ''), i ->> 'provider_id', i -> 'status', place)::private.arrival as arrival, place
    from items left join private.routes_of(p_items) r using (kind, named, is_account)
    order by r.tenant_id, i ->> 'key', place
  )
  select coalesce(array_agg(arrival order by place), '{}') from arrivals
$$;

-- Keep every item of one webhook body, each once. Items: an array of {channel, channel_id, kind, key, occurred_at,
-- item} plus, for messages, {contact: {id, phone, name}, type, text, provider_id} and, for statuses, {status: {...}}.
-- Returns {kept, duplicate, unknown_channel, turns: [{tenant, conversation}]}: the turns to wake are those with an
-- item of this body that has no outcome yet, so that a provider's retry wakes again what was kept but never queued.
-- Planned for the body at hand: a plan for any body takes a thousand items for a few, and compares each with each.
create or replace function public.keep_inbox(p_items jsonb) returns jsonb
language plpgsql security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_arrivals private.arrival[];
  v_keys text[];
  v_tenant uuid;
  v_known integer := 0;
  v_kept integer := 0;
  v_turns jsonb := '[]';
begin
  perform private.require_server();
  if jsonb_typeof(p_items) is distinct from 'array' then
    raise exception 'items must be an array' using errcode = '22023';
  end if;
  v_arrivals := private.arrivals_of(p_items);
  for v_tenant in select distinct tenant_id from unnest(v_arrivals) where tenant_id is not null order by 1 loop
    perform private.enter_tenant(v_tenant);
    v_keys := array(select key from unnest(v_arrivals) where tenant_id = v_tenant);
    v_known := v_known + cardinality(v_keys);
    v_kept := v_kept + private.keep_arrivals(v_tenant, array(
      select a from unnest(v_arrivals) a
      where a.tenant_id = v_tenant
        and not a.key = any (array(
          select b.effect_key from public.inbox b where b.tenant_id = v_tenant and b.effect_key = any (v_keys)))
      order by a.place));
    v_turns := v_turns || coalesce((
      select jsonb_agg(jsonb_build_object('tenant', v_tenant, 'conversation', o.conversation_id))
      from (select distinct b.conversation_id from public.inbox b
        where b.tenant_id = v_tenant and b.outcome is null and b.kind = 'message' and b.effect_key = any (v_keys)) o),
      '[]');
  end loop;
  return jsonb_build_object('kept', v_kept, 'duplicate', v_known - v_kept,
    'unknown_channel', cardinality(v_arrivals) - v_known, 'turns', v_turns);
end $$;
