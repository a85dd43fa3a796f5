-- Who has set up a second factor must have given it. Restrictive, so it only narrows what the other policies allow.

-- Owned by postgres, as the one exception: Supabase Auth keeps its factors behind row level security without a policy,
-- so that no role that obeys it sees any. It takes no argument and tells the caller one thing about the caller.
create function private.gave_second_factor() returns boolean
language sql stable security definer
set search_path = ''
as $$
  select coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'aal' = 'aal2', false)
    or not exists (select from auth.mfa_factors f where f.user_id = private.user_id() and f.status = 'verified')
$$;
grant execute on function private.gave_second_factor() to authenticated;

-- Every table of a tenant that a member may reach: those with a policy for authenticated, but for what is everybody's.
do $$
declare
  v_table text;
begin
  for v_table in
    select distinct p.tablename from pg_policies p
    where p.schemaname = 'public' and 'authenticated' = any (p.roles) and p.tablename <> 'plans' order by 1
  loop
    execute format('create policy second_factor on public.%I as restrictive for all to authenticated '
      'using ((select private.gave_second_factor())) with check ((select private.gave_second_factor()))', v_table);
  end loop;
end $$;
