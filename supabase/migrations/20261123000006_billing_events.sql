-- What Mercado Pago and Paddle told, kept before they are answered.
-- Volumes: 10,000 tenants make 2,000 events a day; an event is worked off within minutes. Quarantine is bounded by the
-- webhook's own rate (60 a minute for each execution environment). Rows older than 400 days are pruned by received_at.

create table public.billing_events (
  id uuid primary key default gen_random_uuid(),
  provider text not null check (provider in ('mercadopago', 'paddle')),
  -- Names the effect, from signed material only. Quarantine has a namespace of its own, so that nobody who cannot sign
  -- ever takes the place of an event that is signed.
  effect_key text not null check (char_length(effect_key) between 1 and 200),
  trusted boolean not null,
  -- What the signature covers beside the body; in quarantine, what the delivery claims.
  facts jsonb not null,
  -- Paddle's event, which is signed. Of Mercado Pago only what the query calls it, which is not.
  item jsonb not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null default now(),
  -- A delivery in quarantine is a question to the provider's API. Asked again it is open again, and this counts; whoever
  -- settles a row names the count that was read, so that no later question is closed with it.
  deliveries integer not null default 1,
  outcome text check (char_length(outcome) between 1 and 40),
  settled_at timestamptz,
  unique (provider, effect_key),
  check (trusted = (effect_key not like 'quarantine:%')),
  check ((outcome is null) = (settled_at is null))
);
comment on table public.billing_events is
  'tenant=none personal=facts,item export=no erase=with-age keep=400-days';
-- The work that is left, oldest first.
create index billing_events_open on public.billing_events (received_at) where outcome is null;
-- Retention prunes by age.
create index billing_events_age on public.billing_events (received_at);

alter table public.billing_events enable row level security;
alter table public.billing_events force row level security;
-- No tenant is known before the provider was asked, or the event read.
create policy service_all on public.billing_events for all to portero_service using (true) with check (true);
grant select, insert on public.billing_events to portero_service;
grant update (facts, item, occurred_at, received_at, deliveries, outcome, settled_at)
  on public.billing_events to portero_service;

-- Keep one event: {"id", "new"}. A trusted event that is there already stays as it is; one in quarantine is opened again.
create function public.keep_billing_event(
  p_provider text, p_key text, p_trusted boolean, p_facts jsonb, p_item jsonb, p_occurred_at timestamptz)
returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_id uuid;
  v_deliveries integer;
begin
  perform private.require_server();
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
grant execute on function public.keep_billing_event(text, text, boolean, jsonb, jsonb, timestamptz) to service_role;

grant create on schema public to portero_service;
alter function public.keep_billing_event(text, text, boolean, jsonb, jsonb, timestamptz) owner to portero_service;
revoke create on schema public from portero_service;
