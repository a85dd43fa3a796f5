-- Bounds on what nobody signed: 2,000 unverified billing events a day, 10,000 in all, none older than 30 days once a
-- newer one needs room. Events that a provider signed are not counted, and wait for nothing here.

-- The unverified rows by age: counted, and pruned.
create index billing_events_unverified on public.billing_events (received_at) where not trusted;
-- The work that is left: what is signed first, then oldest first.
drop index public.billing_events_open;
create index billing_events_open on public.billing_events (trusted desc, received_at) where outcome is null;
grant delete on public.billing_events to portero_intake;

-- As before, but that a new unverified event is stored only while there is room: else {"refused": <name>}. One that is
-- stored already takes no new row, so it is opened again in a full quarantine too. What is older than 30 days gives way
-- first, at most 100 rows at a time. No lock: deliveries at the same moment may exceed a bound by their number.
create or replace function public.keep_billing_event(
  p_provider text, p_key text, p_trusted boolean, p_facts jsonb, p_item jsonb, p_occurred_at timestamptz)
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
  v_deliveries integer;
begin
  perform private.require_server();
  if not p_trusted and not exists (
      select from public.billing_events e where e.provider = p_provider and e.effect_key = p_key) then
    delete from public.billing_events e where e.id = any (array(select o.id from public.billing_events o
      where not o.trusted and o.received_at < now() - interval '30 days' order by o.received_at limit 100));
    if (select count(*) from public.billing_events e
        where not e.trusted and e.received_at > now() - interval '1 day') >= 2000 then
      return jsonb_build_object('refused', 'quarantine_day_full');
    end if;
    if (select count(*) from public.billing_events e where not e.trusted) >= 10000 then
      return jsonb_build_object('refused', 'quarantine_table_full');
    end if;
  end if;
  insert into public.billing_events as e (provider, effect_key, trusted, facts, item, occurred_at)
    values (p_provider, p_key, p_trusted, p_facts, p_item, p_occurred_at)
    on conflict (provider, effect_key) do update set
      facts = excluded.facts, item = excluded.item, occurred_at = excluded.occurred_at, received_at = now(),
      deliveries = e.deliveries + 1, outcome = null, settled_at = null
      where not e.trusted
    returning e.id, e.deliveries into v_id, v_deliveries;
  if v_id is null then
    select e.id into v_id from public.billing_events e where e.provider = p_provider and e.effect_key = p_key;
  end if;
  return jsonb_build_object('id', v_id, 'new', v_deliveries is not distinct from 1);
end $$;

-- As before, but that a person has five open requests of a kind at most: a person who signs in again gets another time
-- of issue from Meta, as often as they like. The next one gets the code of the newest that is open.
create or replace function public.keep_deletion_request(p_kind text, p_user text, p_issued_at timestamptz, p_code text)
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_code text;
begin
  perform private.require_server();
  insert into public.deletion_requests (kind, provider_user_id, issued_at, code)
    select p_kind, p_user, p_issued_at, p_code
    where (select count(*) from public.deletion_requests d
      where d.kind = p_kind and d.provider_user_id = p_user and d.state = 'received') < 5
    on conflict (kind, provider_user_id, issued_at) do nothing
    returning code into v_code;
  if v_code is not null then
    return jsonb_build_object('code', v_code, 'new', true);
  end if;
  select d.code into v_code from public.deletion_requests d
    where d.kind = p_kind and d.provider_user_id = p_user
    order by d.issued_at = p_issued_at desc, d.state = 'received' desc, d.issued_at desc limit 1;
  return jsonb_build_object('code', v_code, 'new', false);
end $$;
