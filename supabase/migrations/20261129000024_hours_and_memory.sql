-- When the assistant answers, and what it remembers of a long conversation.

-- Whether p_hours says when: [{"day": 1 (Monday) to 7, "from": "09:00", "to": "24:00"}, ...]; what passes midnight is two.
create function private.are_hours(p_hours jsonb) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_typeof(p_hours) = 'array' and jsonb_array_length(p_hours) <= 28 and not exists (
    select from jsonb_array_elements(p_hours) h
    where jsonb_typeof(h) <> 'object' or h - '{day,from,to}'::text[] <> '{}' or coalesce(h ->> 'day', '') !~ '^[1-7]$'
      or coalesce(h ->> 'from', '') !~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
      or coalesce(h ->> 'to', '') !~ '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$' or h ->> 'from' >= h ->> 'to')
$$;

-- Without hours the assistant answers always. Outside of them its business's away_sentence is said, once in twelve hours; without
-- one nothing is, and the messages are there for a person.
alter table public.tenants
  add column assistant_hours jsonb check (private.are_hours(assistant_hours)),
  add column away_sentence text check (char_length(away_sentence) between 1 and 1000);
-- Hours of a zone that nobody knows would end every turn, so they are not kept: Postgres raises.
alter table public.tenants add constraint tenants_hours_zone
  check (assistant_hours is null or timestamp '2026-01-01' at time zone time_zone is not null);
grant update (assistant_hours, away_sentence) on public.tenants to authenticated;

-- What was said before the lines that a turn reads, in short, and up to when it tells.
alter table public.conversations
  add column summary text not null default '' check (char_length(summary) <= 1000),
  add column summarised_until timestamptz;
comment on table public.conversations is
  'tenant=tenant_id personal=summary export=contact erase=contact keep=with-contact';
grant update (summary, summarised_until) on public.conversations to portero_service;

-- Whether the assistant answers at a moment, by the business's own clock.
create function private.is_within_hours(p_hours jsonb, p_zone text, p_at timestamptz) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select p_hours is null or exists (
    select from jsonb_array_elements(p_hours) h
    where h ->> 'day' = to_char(p_at at time zone p_zone, 'ID')
      and to_char(p_at at time zone p_zone, 'HH24:MI') >= h ->> 'from'
      and to_char(p_at at time zone p_zone, 'HH24:MI') < h ->> 'to')
$$;

-- What to say outside the hours; null where it was said within twelve hours.
create function private.away_sentence_for(p_tenant uuid, p_conversation uuid) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select t.away_sentence from public.tenants t
  where t.id = p_tenant and not exists (
    select from public.messages m where m.tenant_id = p_tenant and m.conversation_id = p_conversation
      and m.author = 'assistant' and m.body = t.away_sentence and m.created_at > now() - interval '12 hours')
$$;

-- The lines of a conversation that a model reads, at most twenty, none of them in the summary yet; and once there are twenty, those
-- older than the last ten, which the summary is to tell from then on. What was blocked or waits for an answer is not among them.
create function private.memory(p_tenant uuid, p_conversation uuid, p_since timestamptz) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with latest as (
    select m.author, m.body, m.occurred_at, m.created_at from public.messages m
    where m.tenant_id = p_tenant and m.conversation_id = p_conversation and m.body <> ''
      and m.occurred_at > coalesce(p_since, '-infinity')
      and not exists (select from public.inbox b where b.tenant_id = p_tenant and b.id = m.inbox_id
        and (b.outcome is null or b.outcome = 'blocked'))
    order by m.occurred_at desc, m.created_at desc limit 60
  ), aged as (
    select l.occurred_at, row_number() over (order by l.occurred_at desc, l.created_at desc) as age,
      jsonb_build_object('author', l.author, 'text', l.body) as line
    from latest l
  )
  select jsonb_build_object(
    'history', coalesce(jsonb_agg(a.line order by a.age desc) filter (where a.age <= 20), '[]'),
    'older', case when count(*) >= 20 then jsonb_build_object(
      'until', max(a.occurred_at) filter (where a.age > 10), 'lines', jsonb_agg(a.line order by a.age desc) filter (where a.age > 10))
      end)
  from aged a
$$;

-- Claim a conversation for one turn. Returns {state: claimed | busy | quiet | nothing | absent}; "quiet" with the seconds
-- to wait, since the customer may be writing on: never longer than five quiet periods after the first message, and not at
-- all where a person answers.
create or replace function public.claim_turn(p_tenant uuid, p_conversation uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_conversation public.conversations;
  v_tenant public.tenants;
  v_open jsonb;
  v_first timestamptz;
  v_wait double precision;
  v_attempts integer;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_conversation from public.conversations v
    where v.tenant_id = p_tenant and v.id = p_conversation for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_conversation.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  select jsonb_agg(jsonb_build_object('inbox_id', b.id, 'kind', m.kind, 'text', m.body, 'is_forwarded', coalesce(
      b.item #>> '{context,forwarded}' = 'true' or b.item #>> '{context,frequently_forwarded}' = 'true', false))
      order by b.occurred_at, b.received_at)
    into v_open
    from (select * from public.inbox i where i.tenant_id = p_tenant and i.conversation_id = p_conversation
      and i.outcome is null order by i.occurred_at limit 50) b
    join public.messages m on m.tenant_id = p_tenant and m.inbox_id = b.id;
  if v_open is null then
    return jsonb_build_object('state', 'nothing');
  end if;
  select * into v_tenant from public.tenants t where t.id = p_tenant;
  select min(b.received_at), extract(epoch from least(max(b.received_at) + make_interval(secs => v_tenant.quiet_seconds),
      min(b.received_at) + 5 * make_interval(secs => v_tenant.quiet_seconds)) - now()), max(b.attempts) + 1
    into v_first, v_wait, v_attempts
    from public.inbox b where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null;
  if v_wait > 0 and v_conversation.handled_by = 'assistant' then
    return jsonb_build_object('state', 'quiet', 'wait', v_wait);
  end if;
  update public.inbox b set attempts = b.attempts + 1
    where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null;
  update public.conversations v set fence = v.fence + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where v.tenant_id = p_tenant and v.id = p_conversation
    returning * into v_conversation;
  return private.memory(p_tenant, p_conversation, v_conversation.summarised_until) || jsonb_build_object(
    'state', 'claimed', 'fence', v_conversation.fence, 'messages', v_open, 'attempts', v_attempts,
    'handled_by', v_conversation.handled_by, 'last_inbound_at', v_conversation.last_inbound_at,
    'summary', v_conversation.summary, 'summarised_until', v_conversation.summarised_until,
    'contact', v_conversation.contact_id, 'channel_row', v_conversation.channel_id,
    'channel', (select c.kind from public.channels c where c.tenant_id = p_tenant and c.id = v_conversation.channel_id),
    'opted_out', (select k.opted_out_at is not null from public.contacts k
      where k.tenant_id = p_tenant and k.id = v_conversation.contact_id),
    'media', (select coalesce(jsonb_agg(d.id order by d.created_at, d.place), '[]')
      from public.inbox b join public.messages m on m.tenant_id = p_tenant and m.inbox_id = b.id
      join public.media d on d.tenant_id = p_tenant and d.message_id = m.id and d.state = 'waiting'
      where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null),
    'wish', private.wish_since(p_tenant, v_conversation.contact_id, v_first),
    'pace', private.pace(p_tenant, p_conversation),
    'standing', private.standing(p_tenant, v_conversation.contact_id),
    'template', private.template_for(p_tenant, p_conversation),
    'is_away', not private.is_within_hours(v_tenant.assistant_hours, v_tenant.time_zone, now()),
    'away_sentence', private.away_sentence_for(p_tenant, p_conversation),
    'budget', private.budget_facts(p_tenant),
    'tenant', jsonb_build_object('name', v_tenant.name, 'language', v_tenant.language,
      'instructions', v_tenant.instructions, 'hand_off_sentence', v_tenant.hand_off_sentence));
end $$;

-- Keep the summary of what was said until a moment (null: the old one) in place of the one that told until p_since; of two
-- workers one does.
create function public.keep_summary(p_tenant uuid, p_conversation uuid, p_since timestamptz, p_until timestamptz, p_summary text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.conversations v set summary = coalesce(p_summary, v.summary), summarised_until = p_until
    where v.tenant_id = p_tenant and v.id = p_conversation and v.summarised_until is not distinct from p_since;
  return found;
end $$;

alter table public.inbox drop constraint inbox_outcome_check;
alter table public.inbox add constraint inbox_outcome_check check (outcome in (
  'replied', 'merged', 'handed_to_person', 'opted_out', 'over_budget', 'outside_window', 'outside_hours', 'blocked', 'looped',
  'unsupported', 'failed', 'status_applied', 'status_unmatched', 'noted'));
-- Once the shop is open, what came before can be answered all the same.
do $$
declare
  v_replay text := pg_get_functiondef('private.replay(uuid, text, uuid[], timestamptz, timestamptz, text, boolean)'::regprocedure);
begin
  assert strpos(v_replay, '''outside_window'', ''unsupported'')') > 0;
  execute replace(v_replay, '''outside_window'', ''unsupported'')', '''outside_window'', ''outside_hours'', ''unsupported'')');
end $$;

grant execute on function private.are_hours(jsonb) to authenticated, portero_service;
grant execute on function public.keep_summary(uuid, uuid, timestamptz, timestamptz, text) to service_role;
grant create on schema public, private to portero_service;
alter function private.is_within_hours(jsonb, text, timestamptz) owner to portero_service;
alter function private.away_sentence_for(uuid, uuid) owner to portero_service;
alter function private.memory(uuid, uuid, timestamptz) owner to portero_service;
alter function public.keep_summary(uuid, uuid, timestamptz, timestamptz, text) owner to portero_service;
revoke create on schema public, private from portero_service;
